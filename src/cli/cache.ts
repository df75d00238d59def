/** Where downloads are kept. */

/** The folder of the MNIST files that were fetched. */
export function mnistCache(): string {
  const env = (name: string) => Deno.env.get(name);
  const caches = env("XDG_CACHE_HOME") ?? env("LOCALAPPDATA") ?? `${env("HOME") ?? "."}/.cache`;
  return `${caches}/numerical-gradients/mnist`;
}
