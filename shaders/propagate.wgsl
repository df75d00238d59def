// Every further stage: the changes of a layer's units, times the next matrix, change the next
// layer's units. A matrix product over the rows of the chunk; a thread holds eight rows of four
// units, so that each number it loads is used several times.

#import activation
#import chunk
#import companions

override OFFSET: u32; // of the matrix in the parameters
override INPUTS: u32;
override OUTPUTS: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs of the nudged layer + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> before: array<f32>; // [rows, INPUTS]
@group(0) @binding(5) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(6) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(7) var<storage, read_write> changes: array<f32>; // [rows, OUTPUTS]

override WORKGROUP: u32 = 64;

const ROWS = 8u;

fn store(row: u32, unit: u32, da: f32) {
  if (unit < OUTPUTS) {
    changes[row * OUTPUTS + unit] = da;
  }
}

fn store_four(row: u32, unit: u32, da: vec4f) {
  store(row, unit, da.x);
  store(row, unit + 1u, da.y);
  store(row, unit + 2u, da.z);
  store(row, unit + 3u, da.w);
}

// The values and companions of a sample's units.
struct Units {
  values: vec4f,
  companions: Companions,
}

fn units_on(n: u32, units: vec4u) -> Units {
  let at = n * (OUTPUTS + 1u) + units;
  return Units(
    vec4f(values[at.x], values[at.y], values[at.z], values[at.w]),
    companions_at(n * OUTPUTS + units)
  );
}

@compute @workgroup_size(WORKGROUP)
fn propagate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = (OUTPUTS + 3u) / 4u;
  let unit = 4u * (id.x % quads);
  let units = min(unit + vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
  let walker = id.x / quads;
  let walkers = groups.x * WORKGROUP / quads; // a thread beyond the last of them does nothing
  let first = starts[chunk.first_input];
  let rows_of_entry = chunk.units * POINTS;
  let all_rows = (starts[chunk.first_input + chunk.inputs] - first) * rows_of_entry;
  let rows = select(0u, all_rows, walker < walkers);
  for (var row = walker * ROWS; row < rows; row += walkers * ROWS) {
    let last = rows - 1u;
    let a = INPUTS * min(row + vec4u(0u, 1u, 2u, 3u), vec4u(last));
    let b = INPUTS * min(row + vec4u(4u, 5u, 6u, 7u), vec4u(last));
    var sums_a = mat4x4f();
    var sums_b = mat4x4f();
    for (var q = 0u; q < INPUTS; q++) {
      let of_w = OFFSET + q * OUTPUTS + units;
      let w = vec4f(parameters[of_w.x], parameters[of_w.y], parameters[of_w.z], parameters[of_w.w]);
      sums_a = mat4x4f(
        fma(vec4f(before[a.x + q]), w, sums_a[0]),
        fma(vec4f(before[a.y + q]), w, sums_a[1]),
        fma(vec4f(before[a.z + q]), w, sums_a[2]),
        fma(vec4f(before[a.w + q]), w, sums_a[3])
      );
      sums_b = mat4x4f(
        fma(vec4f(before[b.x + q]), w, sums_b[0]),
        fma(vec4f(before[b.y + q]), w, sums_b[1]),
        fma(vec4f(before[b.z + q]), w, sums_b[2]),
        fma(vec4f(before[b.w + q]), w, sums_b[3])
      );
    }
    let held = min(ROWS, rows - row);
    var is_far = false;
    for (var r = 0u; r < held; r++) {
      let on = units_on(entries[first + (row + r) / rows_of_entry].y, units);
      var dz = sums_a[r % 4u];
      if (r >= 4u) {
        dz = sums_b[r % 4u];
      }
      is_far = is_far || any(abs(dz) > vec4f(NEAR_BY));
      let da = near_change(on.values, on.companions.derivatives, on.companions.inputs, dz);
      store_four(row + r, unit, da);
    }
    // Once more where that is not exact, as in hop.wgsl.
    for (var r = 0u; r < select(0u, held, is_far); r++) {
      let on = units_on(entries[first + (row + r) / rows_of_entry].y, units);
      var dz = sums_a[r % 4u];
      if (r >= 4u) {
        dz = sums_b[r % 4u];
      }
      let da = change(on.values, on.companions.derivatives, on.companions.inputs, dz);
      store_four(row + r, unit, da);
    }
  }
}
