/** Weights and losses out and in, and the link. */

import { byId } from "../parts/elements.ts";
import { Refusal } from "../run/client.ts";
import type { File as NamedBytes } from "../run/protocol.ts";
import type { Training } from "../run/training.ts";
import { inLanguage, t } from "../texts/texts.ts";
import { download } from "./picture.ts";

const read = async (file: File): Promise<NamedBytes> => ({
  name: file.name,
  bytes: new Uint8Array(await file.arrayBuffer()),
});

/** An error in the page's own words. */
function sentence(error: unknown): string {
  if (error instanceof Refusal && error.missing) return t.files.missing(t.files[error.missing]);
  return t.error((error as Error).message);
}

/** Puts the buttons to work, and lets files be dropped onto the page. */
export function showFiles(training: Training): void {
  let told: { place: HTMLElement; text: () => string } | undefined;
  /** Says how it went, beside where it was asked for, and nowhere else. */
  function tell(place: HTMLElement, text: () => string): void {
    if (told) told.place.textContent = "";
    told = { place, text };
    place.textContent = text();
  }
  async function attempt(place: HTMLElement, work: () => Promise<() => string>): Promise<void> {
    try {
      tell(place, await work());
    } catch (error) {
      tell(place, () => sentence(error));
    }
  }
  const status = byId("files-status"), { history } = training;

  for (const format of ["h5", "safetensors"] as const) {
    byId(`save-${format}`).addEventListener("click", () =>
      attempt(status, async () => {
        const losses = Float64Array.from(history.losses);
        const bytes = await training.client.ask("save", format, losses);
        download(`weights.${format}`, bytes as BlobPart, "application/octet-stream");
        return () => t.files.saved(`weights.${format}`);
      }));
  }
  const save = (name: string, content: () => string, type: string) => () => {
    download(name, content(), type);
    tell(status, () => t.files.saved(name));
  };
  const csv = () => `step,loss\n${history.losses.map((loss, i) => `${i + 1},${loss}\n`).join("")}`;
  const json = () => {
    const { losses, accuracies } = history, { settings } = training;
    return JSON.stringify({ settings, losses, accuracies });
  };
  byId("save-csv").addEventListener("click", save("losses.csv", csv, "text/csv"));
  byId("save-json").addEventListener("click", save("losses.json", json, "application/json"));
  byId("copy-link").addEventListener("click", () =>
    attempt(status, async () => {
      const { href } = location;
      try {
        await navigator.clipboard.writeText(href);
      } catch { // the browser, or the person, does not let it
        return () => t.files.cannotCopy(href);
      }
      return () => t.files.copied(href);
    }));

  async function load(file: File): Promise<() => string> {
    if (!await training.prepare({ file: await read(file), download: false })) return () => "";
    const { shape } = training.ready!;
    return () => t.files.loaded(file.name, shape);
  }
  async function useData(files: readonly File[]): Promise<() => string> {
    const { train, test } = await training.useFiles(await Promise.all(files.map(read)));
    return () => t.files.dropped(train, test);
  }
  const take = (place: HTMLElement, files: readonly File[]) =>
    attempt(place, () => {
      const weights = files.find(({ name }) => /\.(h5|hdf5|safetensors)$/i.test(name));
      return weights ? load(weights) : useData(files);
    });
  for (const [id, place] of [["load", status], ["mnist", byId("data-status")]] as const) {
    const input = byId<HTMLInputElement>(id);
    input.addEventListener("change", async () => {
      await take(place, [...input.files ?? []]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const near = (event.target as HTMLElement).closest?.("#files") ? status : byId("data-status");
    take(near, [...event.dataTransfer?.files ?? []]);
  });
  inLanguage(() => told && (told.place.textContent = told.text()));
}
