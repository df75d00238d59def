/** Line charts in the theme's colours and the page's language, drawn by uPlot. */

import uPlot from "uplot";
import { onTheme, short, themeColor } from "./elements.ts";
import { inLanguage } from "../texts/texts.ts";
import { offerPicture } from "../share/picture.ts";

/** One curve. */
export interface Curve {
  readonly label: string;
  /** A colour of the theme. */
  readonly color: string;
  readonly width?: number;
  readonly points?: boolean;
  /** Against the axis on the right, from 0 to 1. */
  readonly right?: boolean;
}

/** What a chart is told, in the language of now. */
export interface ChartOptions {
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly right?: string;
  /** What the chart shows, for those who do not see it. */
  readonly describe: string;
}

const FONT = "12px system-ui, sans-serif";
/** Pixels of an axis that a label of a number takes, at least. */
const SPACE = 56;

/** A number of an axis in as many digits as tell it from its neighbours. */
function apart(value: number, [first, second]: readonly (number | null)[]): string {
  const step = Math.abs((second ?? 0) - (first ?? 0));
  if (!(step > 0) || Math.abs(value) >= 1e6 || step < 1e-6) return short(value);
  return `${Number(value.toFixed(Math.max(0, Math.ceil(-Math.log10(step) + 0.5))))}`;
}

/** uPlot's options for a chart. */
function optionsOf(
  { x, y, curves, logX, logY, right }: ChartOptions,
  size: { width: number; height: number },
): uPlot.Options {
  const ink = (name: string) => () => themeColor(name);
  const axis = (label: string) => ({
    label,
    stroke: ink("quiet"),
    labelSize: 22,
    font: FONT,
    labelFont: FONT,
    space: SPACE,
  });
  // Of a logarithmic axis only the powers of ten are marked, and of these as many as there is room for.
  const powers = (plot: uPlot, splits: number[], at: number) => {
    const isPower = (value: number) => Number.isInteger(Math.round(1e6 * Math.log10(value)) / 1e6);
    const room = at === 0 ? plot.width / SPACE : plot.height / 24;
    const all = splits.filter(isPower), every = Math.ceil(all.length / room);
    const kept = new Set(all.filter((_, i) => i % every === 0));
    return splits.map((value) => kept.has(value) ? value : null);
  };
  const scaled = (log = false) =>
    log
      ? {
        filter: powers,
        values: (_: uPlot, splits: (number | null)[]) =>
          splits.map((value) => value === null ? "" : value.toExponential(0)),
      }
      : {
        values: (_: uPlot, splits: (number | null)[]) =>
          splits.map((value) => value === null ? "" : apart(value, splits)),
      };
  const grid = (log = false) => ({
    grid: { stroke: ink("line"), width: 1, ...(log ? { filter: powers } : {}) },
    ticks: { stroke: ink("line"), width: 1, ...(log ? { filter: powers } : {}) },
  });
  return {
    ...size,
    cursor: { drag: { x: false, y: false } },
    legend: { live: false },
    scales: {
      x: { time: false, distr: logX ? 3 : 1 },
      y: { distr: logY ? 3 : 1 },
      right: { range: [0, 1] },
    },
    axes: [
      { ...axis(x), ...grid(logX), ...scaled(logX) },
      { ...axis(y), ...grid(logY), ...scaled(logY), size: 64, space: 24 },
      ...(right === undefined ? [] : [{
        ...axis(right),
        space: 24,
        scale: "right",
        side: 1,
        grid: { show: false },
        values: (_: uPlot, splits: number[]) => splits.map((v) => `${Math.round(100 * v)}%`),
      }]),
    ],
    series: [
      { label: x },
      ...curves.map(({ label, color, width = 2, points = false, right }) => ({
        label,
        stroke: ink(color),
        width,
        points: { show: points },
        spanGaps: true,
        scale: right ? "right" : "y",
      })),
    ],
  };
}

/** A chart that fills its host. */
export class Chart {
  readonly #host: HTMLElement;
  readonly #options: () => ChartOptions;
  readonly #observer: ResizeObserver;
  #plot: uPlot | undefined;
  #data: uPlot.AlignedData;

  /** @param options what is shown, asked for anew where the language or the theme has changed. */
  constructor(host: HTMLElement, options: () => ChartOptions) {
    this.#host = host;
    this.#options = options;
    this.#data = [[], ...options().curves.map(() => [])];
    host.setAttribute("role", "img");
    this.#observer = new ResizeObserver(() => {
      const size = this.#size();
      if (this.#plot && (size.width !== this.#plot.width || size.height !== this.#plot.height)) {
        this.#plot.setSize(size);
      }
    });
    this.#observer.observe(host);
    inLanguage(() => this.#build());
    onTheme(() => this.#build()); // the legend's colours, too
    offerPicture(host, () => this.#picture());
  }

  #size(): { width: number; height: number } {
    const { clientWidth, clientHeight } = this.#host;
    // The legend stands below the canvas, within the host.
    const legend = this.#host.querySelector(".u-legend")?.clientHeight ?? 28;
    return { width: Math.max(200, clientWidth), height: Math.max(180, clientHeight - legend - 4) };
  }

  #build(): void {
    this.#plot?.destroy();
    const options = this.#options();
    this.#host.setAttribute("aria-label", options.describe);
    this.#plot = new uPlot(optionsOf(options, this.#size()), this.#data, this.#host);
    // Its legend takes as much of the host as its words need.
    this.#observer.observe(this.#host.querySelector(".u-legend")!);
  }

  /** Shows data: the places, and for each curve its values there, null where it has none. */
  set(x: ArrayLike<number>, ...ys: ArrayLike<number | null>[]): void {
    this.#data = [x, ...ys] as unknown as uPlot.AlignedData;
    this.#plot!.setData(this.#data);
  }

  /** The chart with its legend on the theme's paper. */
  #picture(): HTMLCanvasElement {
    const { canvas } = this.#plot!.ctx, { curves, describe } = this.#options();
    const ratio = devicePixelRatio, row = 26 * ratio;
    const picture = Object.assign(document.createElement("canvas"), {
      width: canvas.width,
      height: canvas.height + 2 * row,
    });
    const context = picture.getContext("2d")!;
    context.fillStyle = themeColor("paper");
    context.fillRect(0, 0, picture.width, picture.height);
    context.drawImage(canvas, 0, 0);
    context.font = `${13 * ratio}px system-ui, sans-serif`;
    let left = 12 * ratio;
    for (const { label, color } of curves) {
      context.fillStyle = themeColor(color);
      context.fillRect(left, canvas.height + 8 * ratio, 12 * ratio, 12 * ratio);
      context.fillStyle = themeColor("ink");
      context.fillText(label, left + 18 * ratio, canvas.height + 19 * ratio);
      left += 36 * ratio + context.measureText(label).width;
    }
    context.fillStyle = themeColor("quiet");
    context.fillText(describe, 12 * ratio, canvas.height + row + 16 * ratio, picture.width - 24);
    return picture;
  }
}
