/**
 * The unrolled part of shaders/narrow.wgsl: every copy's way through one narrow layer and the output
 * layer, each unit and class on its own, in expressions that compilers keep in registers.
 */

/** Where an adapter reads weights fastest: each in a variable of its own, or in private memory. */
export type Table = "variables" | "private";

/** Units whose changes are summed up in one expression. */
const CHAIN = 5;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Writes it. What does not change with the nudge is read once, before the slots are walked: a load in
 * the walk would cost as much as all multiply-adds of a unit.
 * @param units of the narrow layer.
 * @param classes of the output layer.
 * @param points of the stencil.
 */
export function unrolled(units: number, classes: number, points: number, table: Table): string {
  const quads = Math.ceil(classes / 4), rows = units * (quads + 1);
  const isPrivate = table === "private";
  const element = (k: number, c: number) =>
    `[${k * (quads + 1) + Math.floor(c / 4)}].${"xyzw"[c % 4]}`;
  const weight = (k: number, c: number) => isPrivate ? `kept${element(k, c)}` : `w${k}_${c}`;
  const chains = range(Math.ceil(units / CHAIN))
    .map((b) => range(units).slice(b * CHAIN, (b + 1) * CHAIN));
  const change = (k: number) =>
    `      let d${k} = da * slopes[${k}] * fma(da, vec2f(curvatures[${k}]), vec2f(1.0));`;
  const logit = (c: number, b: number) =>
    chains[b].reduce(
      (sum, k) => `fma(d${k}, vec2f(${weight(k, c)}), ${sum})`,
      b === 0 ? "vec2f()" : `v${c}_${b - 1}`,
    );
  const last = chains.length - 1;
  return `
const UNITS = ${units}u;
const CLASSES = ${classes}u;

@group(0) @binding(8) var<uniform> table: array<vec4f, ${rows}>; // [UNITS, CLASSES / 4 + 1]

fn spread_of(k: u32) -> f32 {
  return table[k * ${quads + 1}u + ${quads}u].x;
}

// A narrow unit's series, for the change of the nudged unit: slope and curvature.
var<private> slopes: array<f32, UNITS>;
var<private> curvatures: array<f32, UNITS>;
${isPrivate ? `var<private> kept: array<vec4f, ${rows}>;\n` : ""}
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
${
    isPrivate
      ? `  for (var i = 0u; i < ${rows}u; i++) {\n    kept[i] = table[i];\n  }`
      : range(units).flatMap((k) =>
        range(classes).map((c) => `  let w${k}_${c} = table${element(k, c)};`)
      ).join("\n")
  }
  let own = series[n * OUTPUTS + j];
  let label = labels[n];
  let loss_row = residual_row(n);
  let of_target = loss_target(loss_row);
${
    range(classes).map((c) => `  let r${c} = tiny_parts(residuals[loss_row + ${c}u], vec4f(1.0));`)
      .join("\n")
  }
  let unit_row = 4u * quads_of_part();
  for (var s = 0u; s < ${points}u; s += 2u) {
    let offsets = vec2f(stencil[s].x, stencil[s + 1u].x);
    let coefficients = vec2f(stencil[s].y, stencil[s + 1u].y);
    for (var row = first; row < last; row++) {
      let dz = slots[row] * offsets;
      let da = own.x * dz * fma(dz, vec2f(own.y), vec2f(1.0));
${
    chains.map((chain, b) =>
      [
        ...chain.map(change),
        ...range(classes).map((c) => `      let v${c}_${b} = ${logit(c, b)};`),
      ].join("\n")
    ).join("\n")
  }
      let reference = loss_reference(vec4f(${
    range(classes).reduce(
      (of, c) => `select(${of}, v${c}_${last}, label == ${c}u)`,
      "vec2f()",
    )
  }, 0.0, 0.0));
      var sum = vec4f();
${
    range(classes).map((c) =>
      `      let t${c} = vec4f(v${c}_${last}, 0.0, 0.0) - reference;
      sum += t${c} * fma(t${c}, r${c}.y, r${c}.x);`
    ).join("\n")
  }
      let response = dot(coefficients, tiny_loss_change(sum, of_target).xy);
      let at = row * unit_row + unit;
      responses[at] = ${points > 2 ? "select(0.0, responses[at], s > 0u) + " : ""}response;
    }
  }
}
`;
}
