/** Part seven: weights and losses out and in, and the link. */

import type { Client } from "./client.ts";
import { byId, make } from "./elements.ts";
import type { File as NamedBytes } from "./protocol.ts";
import type { Training } from "./training.ts";

/** Hands a file to the browser's downloads. */
function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const read = async (file: File): Promise<NamedBytes> => ({
  name: file.name,
  bytes: new Uint8Array(await file.arrayBuffer()),
});

/** Puts the buttons to work, and lets files be dropped onto the page. */
export function showFiles(client: Client, training: Training): void {
  const status = (text: string) => byId("files-status").textContent = text;
  const attempt = (work: () => Promise<string>) => async () => {
    try {
      status(await work());
    } catch (error) {
      status((error as Error).message);
    }
  };

  for (const format of ["h5", "safetensors"] as const) {
    byId(`save-${format}`).addEventListener(
      "click",
      attempt(async () => {
        const bytes = await client.ask("save", format);
        download(`weights.${format}`, bytes as BlobPart, "application/octet-stream");
        return `Saved weights.${format}.`;
      }),
    );
  }
  const { history } = training;
  byId("save-csv").addEventListener("click", () => {
    const lines = history.losses.map((loss, i) => `${i + 1},${loss}\n`);
    download("losses.csv", `step,loss\n${lines.join("")}`, "text/csv");
  });
  byId("save-json").addEventListener("click", () => {
    const { losses, accuracies } = history, { settings } = training;
    download("losses.json", JSON.stringify({ settings, losses, accuracies }), "application/json");
  });
  byId("copy-link").addEventListener(
    "click",
    attempt(async () => {
      await navigator.clipboard.writeText(location.href);
      return `Copied ${location.href}`;
    }),
  );

  const load = async (file: File) => {
    training.begun(await client.ask("load", await read(file)));
    return `Loaded ${file.name}: ${training.ready!.shape}.`;
  };
  const useData = async (files: readonly File[]) => {
    const found = await client.ask("useFiles", await Promise.all(files.map(read)));
    await training.set({ data: "mnist" });
    return `The dropped data: ${found}.`;
  };
  const take = (files: readonly File[]) =>
    attempt(() => {
      const weights = files.find(({ name }) => /\.(h5|hdf5|safetensors)$/i.test(name));
      return weights ? load(weights) : useData(files);
    })();
  for (const id of ["load", "mnist"]) {
    const input = byId<HTMLInputElement>(id);
    input.addEventListener("change", async () => {
      await take([...input.files ?? []]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer?.files ?? []]);
  });
}
