// Second stage: the change of one unit j, times its row of the next matrix, changes every unit of
// the next layer. A thread takes four units of the next layer and walks the entries of the chunk.

#import activation
#import chunk
#import companions

override OFFSET: u32; // of the next layer's matrix in the parameters
override OUTPUTS: u32; // of the next layer
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> nudges: array<f32>; // [rows]
@group(0) @binding(5) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(6) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(7) var<storage, read_write> changes: array<f32>; // [rows, OUTPUTS]

override WORKGROUP: u32 = 64;

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

fn weights_at(at: vec4u) -> vec4f {
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

@compute @workgroup_size(WORKGROUP)
fn hop(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = (OUTPUTS + 3u) / 4u;
  let unit = 4u * (id.x % quads);
  let units = min(unit + vec4u(0u, 1u, 2u, 3u), vec4u(OUTPUTS - 1u));
  let walker = id.x / quads;
  let walkers = groups.x * WORKGROUP / quads; // a thread beyond the last of them does nothing
  let first = starts[chunk.first_input];
  let count = select(0u, starts[chunk.first_input + chunk.inputs] - first, walker < walkers);
  for (var e = walker; e < count; e += walkers) {
    let n = entries[first + e].y;
    let at = n * (OUTPUTS + 1u) + units;
    let value = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
    let saved = companions_at(n * OUTPUTS + units);
    let weights = OFFSET + chunk.first_unit * OUTPUTS + units;
    var is_far = false;
    for (var j = 0u; j < chunk.units; j++) {
      let w = weights_at(weights + j * OUTPUTS);
      for (var s = 0u; s < POINTS; s++) {
        let row = (e * chunk.units + j) * POINTS + s;
        let dz = nudges[row] * w;
        is_far = is_far || any(abs(dz) > vec4f(NEAR_BY));
        store_four(row, unit, near_change(value, saved.derivatives, saved.inputs, dz));
      }
    }
    // Once more where that is not exact: no turn or one, for software devices run both sides of a
    // branch, but no empty loop.
    for (var turn = 0u; turn < select(0u, 1u, is_far); turn++) {
      for (var j = 0u; j < chunk.units; j++) {
        let w = weights_at(weights + j * OUTPUTS);
        for (var s = 0u; s < POINTS; s++) {
          let row = (e * chunk.units + j) * POINTS + s;
          let dz = nudges[row] * w;
          store_four(row, unit, change(value, saved.derivatives, saved.inputs, dz));
        }
      }
    }
  }
}
