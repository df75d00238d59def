/** Figures as SVG, drawn by ECharts: runs, loss and accuracy against steps; how time grows. */

import type { Row } from "../bench/measurement.ts";

/** A run as its log has it. */
export interface Run {
  readonly name: string;
  readonly losses: readonly (readonly [step: number, loss: number])[];
  readonly accuracies: readonly (readonly [step: number, accuracy: number])[];
}

/** Steps that the running mean goes over. */
const WINDOW = 100;

/** Each point with the mean of the window that ends at it. */
function runningMean(points: Run["losses"]): [number, number][] {
  let sum = 0;
  return points.map(([step, loss], i) => {
    sum += loss - (i >= WINDOW ? points[i - WINDOW][1] : 0);
    return [step, sum / Math.min(i + 1, WINDOW)];
  });
}

/**
 * Draws runs into one figure: each step's loss faintly, its running mean over 100 steps, and the
 * test accuracy on an axis of its own.
 * @returns an SVG document.
 */
export async function drawRuns(runs: readonly Run[]): Promise<string> {
  const echarts = await import("echarts"); // takes a while to load, and is rarely needed
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 900, height: 540 });
  const colors = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d"];
  const hasAccuracy = runs.some(({ accuracies }) => accuracies.length > 0);
  // Of many points no more are drawn than are seen.
  const curve = { type: "line", sampling: "lttb", showSymbol: false } as const;
  const series = runs.flatMap(({ name, losses, accuracies }, i) => {
    const color = colors[i % colors.length];
    return [
      {
        ...curve,
        name: `${name}, each step`,
        data: losses,
        lineStyle: { color, width: 0.8, opacity: 0.3 },
      },
      {
        ...curve,
        name: `${name}, loss`,
        data: runningMean(losses),
        lineStyle: { color, width: 2 },
        itemStyle: { color },
      },
      ...(accuracies.length > 0
        ? [{
          type: "line" as const,
          name: `${name}, accuracy`,
          yAxisIndex: 1,
          data: accuracies,
          symbol: "circle",
          symbolSize: 6,
          lineStyle: { color, width: 1.5, type: "dashed" as const },
          itemStyle: { color },
        }]
        : []),
    ];
  });
  const axis = { nameLocation: "middle", nameGap: 44, scale: true } as const;
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    grid: { left: 70, right: hasAccuracy ? 70 : 30, top: 50, bottom: 60 },
    legend: {
      top: 10,
      itemGap: 40,
      data: series.map(({ name }) => name).filter((name) => !name.endsWith("each step")),
    },
    xAxis: { type: "value", name: "step", nameLocation: "middle", nameGap: 30 },
    yAxis: [
      { type: "value", name: `loss (mean of ${WINDOW} steps)`, ...axis },
      {
        type: "value",
        name: "test accuracy",
        show: hasAccuracy,
        splitLine: { show: false },
        axisLabel: { formatter: (value: number) => `${Math.round(100 * value)}%` },
        ...axis,
        min: 0,
        max: 1,
      },
    ],
    series,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** What stands below the axis of each series of the growth. */
const GROWTH_AXES: Record<string, string> = {
  width: "hidden width (batch 100)",
  batch: "batch (50 hidden units)",
  depth: "hidden layers of 50 (batch 100)",
};
/** Where the tutorial's network lies in each series. */
const TUTORIAL: Record<string, number> = { width: 50, batch: 100, depth: 1 };

/**
 * Draws how the time for a perturbed copy grows: a panel for each series, medians with the smallest
 * and the largest of their runs. The tutorial's network stands in every panel.
 * @returns an SVG document.
 */
export async function drawGrowth(rows: readonly Row[]): Promise<string> {
  const echarts = await import("echarts");
  const measured = rows.filter(({ point }) => point !== undefined);
  const base = measured.find(({ point }) => point!.series === "width" && point!.x === 50);
  const panels = Object.keys(GROWTH_AXES).map((series) =>
    [
      ...measured.filter(({ point }) => point!.series === series)
        .map(({ point, value, low, high }) => [point!.x, value, low, high]),
      ...(base && series !== "width" ? [[TUTORIAL[series], base.value, base.low, base.high]] : []),
    ].sort((a, b) => a[0] - b[0])
  );
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 1080, height: 380 });
  const highest = Math.max(...panels.flat().map(([, , , high]) => high));
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: "Time for a perturbed copy and a sample, in nanoseconds", left: "center" },
    grid: panels.map((_, i) => ({ left: 60 + 345 * i, width: 270, top: 50, bottom: 60 })),
    xAxis: Object.values(GROWTH_AXES).map((name, gridIndex) => ({
      gridIndex,
      ...(gridIndex < 2
        ? { type: "log" as const }
        : { type: "value" as const, min: 1, minInterval: 1 }),
      name,
      nameLocation: "middle" as const,
      nameGap: 30,
    })),
    yAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: "value" as const,
      max: Number((1.1 * highest).toPrecision(2)),
    })),
    series: panels.flatMap((points, i) => [
      {
        type: "line" as const,
        xAxisIndex: i,
        yAxisIndex: i,
        data: points.map(([x, value]) => [x, value]),
        symbol: "circle",
        symbolSize: 7,
        lineStyle: { color: "#2563eb", width: 2 },
        itemStyle: { color: "#2563eb" },
      },
      ...points.map(([x, , low, high]) => ({
        type: "line" as const,
        xAxisIndex: i,
        yAxisIndex: i,
        data: [[x, low], [x, high]],
        showSymbol: false,
        lineStyle: { color: "#2563eb", width: 1, opacity: 0.6 },
      })),
    ]),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
