/** Line charts in the theme's colours, drawn by uPlot. */

import uPlot from "uplot";
import { onTheme, short, themeColor } from "./elements.ts";

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

/** What a chart is told. */
export interface ChartOptions {
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly right?: string;
  /** Drawn over the curves. */
  readonly draw?: (plot: uPlot) => void;
  /** What the chart shows, for those who do not see it. */
  readonly describe: string;
}

/** A chart that fills its host. */
export class Chart {
  readonly #plot: uPlot;

  constructor(host: HTMLElement, options: ChartOptions) {
    const { x, y, curves, logX, logY, right, draw } = options;
    const ink = (name: string) => () => themeColor(name);
    const axis = (label: string) => ({
      label,
      stroke: ink("quiet"),
      labelSize: 22,
      font: "12px system-ui",
      labelFont: "12px system-ui",
    });
    // Of a logarithmic axis only the powers of ten are marked.
    const powers = (_: uPlot, splits: number[]) =>
      splits.map((value) =>
        Number.isInteger(Math.round(1e6 * Math.log10(value)) / 1e6) ? value : null
      );
    const scaled = (log = false) =>
      log
        ? {
          filter: powers,
          values: (_: uPlot, splits: (number | null)[]) =>
            splits.map((value) => value === null ? "" : value.toExponential(0)),
        }
        : {
          values: (_: uPlot, splits: (number | null)[]) =>
            splits.map((value) => value === null ? "" : short(value)),
        };
    const grid = (log = false) => ({
      grid: { stroke: ink("line"), width: 1, ...(log ? { filter: powers } : {}) },
      ticks: { stroke: ink("line"), width: 1, ...(log ? { filter: powers } : {}) },
    });
    const number = (_: uPlot, value: number | null) => value === null ? "–" : short(value, 4);
    host.setAttribute("role", "img");
    host.setAttribute("aria-label", options.describe);
    this.#plot = new uPlot(
      {
        width: Math.max(200, host.clientWidth),
        height: 240,
        cursor: { drag: { x: false, y: false } },
        scales: {
          x: { time: false, distr: logX ? 3 : 1 },
          y: { distr: logY ? 3 : 1 },
          right: { range: [0, 1] },
        },
        axes: [
          { ...axis(x), ...grid(logX), ...scaled(logX) },
          { ...axis(y), ...grid(logY), ...scaled(logY), size: 64 },
          ...(right === undefined ? [] : [{
            ...axis(right),
            scale: "right",
            side: 1,
            grid: { show: false },
            values: (_: uPlot, splits: number[]) => splits.map((v) => `${Math.round(100 * v)}%`),
          }]),
        ],
        series: [
          { label: x, value: number },
          ...curves.map(({ label, color, width = 2, points = false, right }) => ({
            label,
            stroke: ink(color),
            width,
            points: { show: points },
            value: number,
            spanGaps: true,
            scale: right ? "right" : "y",
          })),
        ],
        hooks: draw ? { draw: [draw] } : {},
      },
      [[], ...curves.map(() => [])],
      host,
    );
    new ResizeObserver(() => {
      const width = Math.max(200, host.clientWidth);
      if (width !== this.#plot.width) this.#plot.setSize({ width, height: 240 });
    }).observe(host);
    onTheme(() => this.#plot.redraw(false, true));
  }

  /** Shows data: the places, and for each curve its values there, null where it has none. */
  set(x: ArrayLike<number>, ...ys: ArrayLike<number | null>[]): void {
    this.#plot.setData([x, ...ys] as unknown as uPlot.AlignedData);
  }
}
