/** Where WebGPU comes from: the platform's own, unless an entry of the library knows of another. */

/** What a platform gives. */
export interface Platform {
  /** WebGPU; undefined where there is none. */
  gpu(): Promise<GPU | undefined>;
  /** What mends that there is no adapter, for people: the end of a sentence. */
  readonly mend: string;
}

/** The platform's own. */
export const platform: Platform = {
  // Older versions of Node have no navigator.
  gpu: () => Promise.resolve(globalThis.navigator?.gpu),
  mend: "install a Vulkan driver (sudo apt-get install mesa-vulkan-drivers)",
};

/** Makes an entry's platform the one that is used. */
export function usePlatform(own: Partial<Platform>): void {
  Object.assign(platform, own);
}
