/**
 * The unrolled part of shaders/narrow.wgsl: every copy's way through narrow layers to the loss, each
 * unit and class on its own, in expressions that compilers keep in registers.
 */

/** How an adapter takes it fastest. */
export interface Shape {
  /**
   * Where the output layer's weights are, where they are read once: each in a variable of its own, or
   * in private memory.
   */
  readonly weights: "variables" | "private";
  /** Copies side by side, two of each slot, where a load of a weight serves several. */
  readonly size: 2 | 4;
  /** Vectors of so many that a load serves. */
  readonly vectors: number;
  /** Layers that it compiles within seconds, at most. */
  readonly layers: number;
}

/** What is behind the nudged layer. */
export interface Chain {
  /** Units of the narrow layers. */
  readonly widths: readonly number[];
  /** The most that a unit of each changes, over the change of its input. */
  readonly factors: readonly number[];
  readonly classes: number;
  /** Of the stencil. */
  readonly points: number;
}

/** Units whose changes are summed up in one expression. */
const SUMMED = 5;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const lines = (...all: string[]) => all.join("\n");
const quadsOf = (count: number) => Math.ceil(count / 4);
const placesOf = (size: number) => [..."xyzw"].slice(0, size);
const member = (i: number) => `${Math.floor(i / 4)}].${"xyzw"[i % 4]}`;

/**
 * Vectors of four that a table has for each matrix behind the first, as shaders/narrow_table.wgsl
 * lays them out: of the narrow layers the inputs of each unit, of the output layer the classes of
 * each input.
 */
export function tables(
  { widths, classes }: Pick<Chain, "widths" | "classes">,
): { rows: number; columns: number; first: number }[] {
  let first = 0;
  return widths.map((width, i) => {
    const table = i === widths.length - 1
      ? { rows: width, columns: classes, first }
      : { rows: widths[i + 1], columns: width, first };
    first += table.rows * (quadsOf(table.columns) + 1);
    return table;
  });
}

/** Vectors of four of all tables. */
export function tableSize(chain: Chain): number {
  const last = tables(chain).at(-1)!;
  return last.first + last.rows * (quadsOf(last.columns) + 1);
}

/** Writes it. */
export function unrolled(chain: Chain, shape: Shape): string {
  const { widths, factors } = chain;
  const [units] = widths, all = tables(chain), last = all.at(-1)!;
  const stride = (t: number) => `${quadsOf(all[t].columns) + 1}u`;
  const row = (t: number, r: string) => `${all[t].first}u + ${r} * ${stride(t)}`;
  const bounds = (t: number, r: string) => `table[${row(t, r)} + ${quadsOf(all[t].columns)}u]`;
  return `
const UNITS = ${units}u;
const CLASSES = ${chain.classes}u;

@group(0) @binding(8) var<uniform> table: array<vec4f, ${
    tableSize(chain)
  }>; // see narrow_table.wgsl

// How much further a change of the nudged unit reaches, at most: to a unit's input, or to a logit
// against another.
fn reach_behind(first_weight: u32) -> f32 {
  var widest = 0.0;
  var of_logits = 0.0;
  for (var k = 0u; k < UNITS; k++) {
    let weight = abs(parameters[first_weight + k]);
    widest = max(widest, weight);
    of_logits += weight * ${bounds(all.length - 1, `min(k, ${last.rows - 1}u)`)}.x;
  }
  var largest = widest;
  var size = ${factors[0].toFixed(4)};
${
    lines(
      ...widths.slice(1).map((width, i) =>
        `  size *= widest;
  widest = 0.0;
  of_logits = 0.0;
  for (var m = 0u; m < ${width}u; m++) {
    let sum = ${bounds(i, "m")}.y;
    widest = max(widest, sum);
    of_logits += sum * ${bounds(all.length - 1, `min(m, ${last.rows - 1}u)`)}.x;
  }
  largest = max(largest, size * widest);
  size *= ${factors[i + 1].toFixed(4)};`
      ),
    )
  }
  return max(largest, size * of_logits);
}

// A unit's series, for the change of the nudged unit: slope and curvature.
var<private> slopes: array<f32, UNITS>;
var<private> curvatures: array<f32, UNITS>;
${privates(chain, shape)}
fn respond_tiny(n: u32, j: u32, unit: u32, first_weight: u32, first: u32, last: u32) {
  if (first >= last) {
    return;
  }
  for (var k = 0u; k < UNITS; k++) {
    let of_unit = series[BATCH * OUTPUTS + n * UNITS + k];
    let weight = parameters[first_weight + k];
    slopes[k] = of_unit.x * weight;
    curvatures[k] = of_unit.y * weight;
  }
  let own = series[n * OUTPUTS + j];
  let label = labels[n];
  let loss_row = residual_row(n);
  let of_target = loss_target(loss_row);
  let unit_row = 4u * quads_of_part();
${
    lines(
      ...range(chain.classes).map((c) =>
        `  let r${c} = tiny_parts(residuals[loss_row + ${c}u], vec4f(1.0));`
      ),
    )
  }
${widths.length === 1 ? walkOne(chain, shape) : walkSeveral(chain, shape)}
}
`;
}

/** What else an invocation keeps. */
function privates(chain: Chain, { weights, size, vectors }: Shape): string {
  const { widths } = chain;
  if (widths.length === 1) {
    return weights === "private" ? `var<private> kept: array<vec4f, ${tableSize(chain)}>;\n` : "";
  }
  // An array for each copy: llvmpipe compares every two uses of an array as it compiles.
  return lines(
    ...widths.slice(1, -1).flatMap((width, i) =>
      range(vectors).flatMap((v) =>
        placesOf(size).map((place) =>
          `var<private> changes${i + 1}_${v}${place}: array<f32, ${width}>;`
        )
      )
    ),
  );
}

/** Sums of products in chains of a few, of which each goes on from the one before. */
function sum(name: string, type: string, terms: readonly (readonly [string, string])[]): string {
  return lines(
    ...range(Math.ceil(terms.length / SUMMED)).map((b) => {
      const before = b === 0 ? `${type}()` : `${name}_${b - 1}`;
      const chain = terms.slice(b * SUMMED, (b + 1) * SUMMED)
        .reduce((sum, [x, y]) => `fma(${x}, ${type}(${y}), ${sum})`, before);
      return `let ${name}${(b + 1) * SUMMED < terms.length ? `_${b}` : ""} = ${chain};`;
    }),
  );
}

/** The change of the loss, in as many of the vector's places as there are copies. */
const loss = (classes: number, size: number, of: (c: number) => string, name: string) => {
  const rest = size === 2 ? ", 0.0, 0.0" : "";
  const wide = (c: number) => `vec4f(${of(c)}${rest})`;
  return lines(
    `var reference${name} = ${wide(0)};`,
    ...range(classes).slice(1).map((c) =>
      `reference${name} = select(reference${name}, ${wide(c)}, label == ${c}u);`
    ),
    `reference${name} = loss_reference(reference${name});`,
    `var total${name} = vec4f();`,
    ...range(classes).map((c) =>
      lines(
        `let t${c}${name} = ${wide(c)} - reference${name};`,
        `total${name} += t${c}${name} * fma(t${c}${name}, r${c}.y, r${c}.x);`,
      )
    ),
    `let change${name} = tiny_loss_change(total${name}, of_target);`,
  );
};

/** Two points of the stencil at a time; the second pair adds to what the first gave. */
const pairs = (points: number, walk: string) => `
  for (var s = 0u; s < ${points}u; s += 2u) {
    let offsets = vec2f(stencil[s].x, stencil[s + 1u].x);
    let coefficients = vec2f(stencil[s].y, stencil[s + 1u].y);
${walk}
  }`;
/** What a slot's first pair of points gave. */
const known = (points: number, row: string) =>
  points > 2 ? `select(0.0, responses[${row} * unit_row + unit], s > 0u)` : "0.0";
const store = (row: string, before: string, change: string) =>
  `responses[${row} * unit_row + unit] = ${before} + dot(coefficients, ${change});`;

/**
 * Through one narrow layer: what does not change with the nudge is read once, before the slots are
 * walked, as a load in the walk would cost as much as all multiply-adds of a unit.
 */
function walkOne({ widths: [units], classes, points }: Chain, { weights }: Shape): string {
  const row = (k: number) => k * (quadsOf(classes) + 1);
  const isPrivate = weights === "private";
  const all = units * (quadsOf(classes) + 1);
  const chains = range(Math.ceil(units / SUMMED))
    .map((b) => range(units).slice(b * SUMMED, (b + 1) * SUMMED));
  const last = chains.length - 1;
  const weight = (k: number, c: number) =>
    isPrivate ? `kept[${member(4 * row(k) + c)}` : `w${k}_${c}`;
  return lines(
    isPrivate ? `  for (var i = 0u; i < ${all}u; i++) { kept[i] = table[i]; }` : lines(
      ...range(units).flatMap((k) =>
        range(classes).map((c) => `  let w${k}_${c} = table[${member(4 * row(k) + c)};`)
      ),
    ),
    pairs(
      points,
      lines(
        "for (var row = first; row < last; row++) {",
        "let dz = slots[row] * offsets;",
        "let da = own.x * dz * fma(dz, vec2f(own.y), vec2f(1.0));",
        ...chains.flatMap((chain, b) => [
          ...chain.map((k) =>
            `let d${k} = da * slopes[${k}] * fma(da, vec2f(curvatures[${k}]), vec2f(1.0));`
          ),
          ...range(classes).map((c) =>
            `let v${c}_${b} = ${
              chain.reduce(
                (sum, k) => `fma(d${k}, vec2f(${weight(k, c)}), ${sum})`,
                b === 0 ? "vec2f()" : `v${c}_${b - 1}`,
              )
            };`
          ),
        ]),
        loss(classes, 2, (c) => `v${c}_${last}`, ""),
        store("row", known(points, "row"), "change.xy"),
        "}",
      ),
    ),
  );
}

/**
 * Through several: no compiler takes all of their units unrolled, so that a loop takes a layer's
 * units one after the other, and each weight is loaded once for several copies.
 */
function walkSeveral(chain: Chain, { size, vectors }: Shape): string {
  const { widths, classes, points } = chain;
  const type = `vec${size}f`, slots = size * vectors / 2, all = tables(chain);
  const each = (of: (v: number) => string) => lines(...range(vectors).map(of));
  const before = (layer: number, k: number, v: number) =>
    layer === 0
      ? `d${k}_${v}`
      : `${type}(${
        placesOf(size).map((place) => `changes${layer}_${v}${place}[${k}]`).join(", ")
      })`;
  const slotRow = (i: number) => `min(row + ${i}u, last - 1u)`;
  const weights = (t: number, name: string) => {
    const quads = quadsOf(all[t].columns);
    return lines(
      `let at${name} = ${all[t].first}u + m * ${quads + 1}u;`,
      ...range(quads).map((q) => `let ${name}${q} = table[at${name} + ${q}u];`),
    );
  };
  const part = (name: string, i: number) => `${name}${member(i).replace("]", "")}`;
  let firstSeries = 0;
  const layers = widths.slice(1).map((width, layer) => {
    firstSeries += widths[layer];
    return lines(
      `for (var m = 0u; m < ${width}u; m++) {`,
      weights(layer, "w"),
      `let of_unit = series[BATCH * (OUTPUTS + ${firstSeries}u) + n * ${width}u + m];`,
      each((v) =>
        lines(
          sum(
            `z${v}`,
            type,
            range(widths[layer]).map((k) => [before(layer, k, v), part("w", k)] as const),
          ),
          `let a${v} = of_unit.x * z${v} * fma(z${v}, ${type}(of_unit.y), ${type}(1.0));`,
        )
      ),
      layer + 2 < widths.length
        ? each((v) =>
          lines(
            ...placesOf(size).map((place) =>
              `changes${layer + 1}_${v}${place}[m] = a${v}.${place};`
            ),
          )
        )
        : lines(
          weights(layer + 1, "t"),
          ...range(classes).map((c) =>
            each((v) => `v${c}_${v} = fma(a${v}, ${type}(${part("t", c)}), v${c}_${v});`)
          ),
        ),
      "}",
    );
  });
  return pairs(
    points,
    lines(
      `for (var row = first; row < last; row += ${slots}u) {`,
      each((v) =>
        lines(
          `let dz${v} = ${type}(${
            range(size / 2).map((i) => `slots[${slotRow(v * size / 2 + i)}] * offsets`).join(", ")
          });`,
          `let da${v} = own.x * dz${v} * fma(dz${v}, ${type}(own.y), ${type}(1.0));`,
          ...range(widths[0]).map((k) =>
            `let d${k}_${v} = da${v} * slopes[${k}] * fma(da${v}, ${type}(curvatures[${k}]), ${type}(1.0));`
          ),
          ...range(classes).map((c) => `var v${c}_${v} = ${type}();`),
          // Before any is stored: the last slot is taken again where no more follow.
          ...range(size / 2).map((i) =>
            `let known${v}_${i} = ${known(points, slotRow(v * size / 2 + i))};`
          ),
        )
      ),
      ...layers,
      each((v) =>
        lines(
          loss(classes, size, (c) => `v${c}_${v}`, `${v}`),
          ...range(size / 2).map((i) =>
            store(slotRow(v * size / 2 + i), `known${v}_${i}`, `change${v}.${["xy", "zw"][i]}`)
          ),
        )
      ),
      "}",
    ),
  );
}
