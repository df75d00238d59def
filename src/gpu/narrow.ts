/**
 * The unrolled part of shaders/narrow.wgsl: every copy's way through one narrow layer and the output
 * layer, each unit and class on its own, in expressions that compilers keep in registers.
 */

/** How an adapter takes the weights: as constants of a uniform, or from private memory. */
export type Table = "uniform" | "private";

/** Units whose changes are summed up in one expression. */
const CHAIN = 10;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Writes it.
 * @param units of the narrow layer.
 * @param classes of the output layer.
 */
export function unrolled(units: number, classes: number, table: Table): string {
  const quads = Math.ceil(classes / 4), rows = units * (quads + 1);
  const weight = (k: number, c: number) =>
    `${table === "private" ? "kept" : "table"}[${k * (quads + 1) + Math.floor(c / 4)}].${
      "xyzw"[c % 4]
    }`;
  const blocks = range(Math.ceil(units / CHAIN))
    .map((b) => range(units).slice(b * CHAIN, (b + 1) * CHAIN));
  const change = (k: number) => `      let d${k} = da * p${k} * fma(da, vec2f(q${k}), vec2f(1.0));`;
  const logit = (c: number, b: number) =>
    blocks[b].reduce(
      (sum, k) => `fma(d${k}, vec2f(w${k}_${c}), ${sum})`,
      b === 0 ? "vec2f()" : `v${c}_${b - 1}`,
    );
  const last = blocks.length - 1;
  return `
const UNITS = ${units}u;
const CLASSES = ${classes}u;

@group(0) @binding(8) var<uniform> table: array<vec4f, ${rows}>; // [UNITS, CLASSES / 4 + 1]

fn spread_of(k: u32) -> f32 {
  return table[k * ${quads + 1}u + ${quads}u].x;
}
${table === "private" ? `var<private> kept: array<vec4f, ${rows}>;\n` : ""}
fn respond_tiny(n: u32, j: u32, unit: u32, first_weight: u32, first: u32, last: u32) {
  if (first >= last) {
    return;
  }
${
    table === "private"
      ? `  for (var i = 0u; i < ${rows}u; i++) {\n    kept[i] = table[i];\n  }`
      : ""
  }
  let own = series[n * OUTPUTS + j];
  let label = labels[n];
  let loss_row = residual_row(n);
  let of_target = loss_target(loss_row);
${
    range(units).map((k) =>
      `  let s${k} = series[BATCH * OUTPUTS + n * UNITS + ${k}u];
  let p${k} = s${k}.x * parameters[first_weight + ${k}u];
  let q${k} = s${k}.y * parameters[first_weight + ${k}u];`
    ).join("\n")
  }
${
    range(units).flatMap((k) => range(classes).map((c) => `  let w${k}_${c} = ${weight(k, c)};`))
      .join("\n")
  }
${
    range(classes).map((c) => `  let r${c} = tiny_parts(residuals[loss_row + ${c}u], vec4f(1.0));`)
      .join("\n")
  }
  for (var row = first; row < last; row++) {
    var response = 0.0;
    for (var s = 0u; s < POINTS; s += 2u) {
      let dz = slots[row] * vec2f(stencil[s].x, stencil[s + 1u].x);
      let da = own.x * dz * fma(dz, vec2f(own.y), vec2f(1.0));
${
    blocks.map((block, b) =>
      [
        ...block.map(change),
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
      let dL = tiny_loss_change(sum, of_target);
      response = fma(stencil[s].y, dL.x, fma(stencil[s + 1u].y, dL.y, response));
    }
    responses[row * 4u * quads_of_part() + unit] = response;
  }
}
`;
}
