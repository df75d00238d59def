// Behind a product: what the changes of a hidden layer's inputs make of its units, in place. A thread
// takes four units and walks the rows of the chunk.

#import activation
#import chunk

override OUTPUTS: u32;
override POINTS: u32; // of the stencil

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> starts: array<u32>; // [inputs of the nudged layer + 2]
@group(0) @binding(2) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(3) var<storage, read> values: array<f32>; // [batch, OUTPUTS + 1]
@group(0) @binding(4) var<storage, read> companions: array<f32>; // [batch, OUTPUTS]
@group(0) @binding(5) var<storage, read_write> changes: array<vec4f>; // [rows, ceil(OUTPUTS / 4)]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn squash(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = (OUTPUTS + 3u) / 4u;
  let quad = id.x % quads;
  let each = 4u * quad + vec4u(0u, 1u, 2u, 3u);
  let units = min(each, vec4u(OUTPUTS - 1u));
  let walker = id.x / quads;
  let walkers = groups.x * WORKGROUP / quads; // a thread beyond the last of them does nothing
  let first = starts[chunk.first_input];
  let count = select(0u, starts[chunk.first_input + chunk.inputs] - first, walker < walkers);
  let rows_of_entry = chunk.units * POINTS;
  for (var e = walker; e < count; e += walkers) {
    let n = entries[first + e].y;
    let at = n * (OUTPUTS + 1u) + units;
    let value = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
    let of_c = n * OUTPUTS + units;
    let c = vec4f(companions[of_c.x], companions[of_c.y], companions[of_c.z], companions[of_c.w]);
    for (var row = e * rows_of_entry; row < (e + 1u) * rows_of_entry; row++) {
      let change = activation_change(value, c, changes[row * quads + quad]);
      changes[row * quads + quad] = select(vec4f(), change, each < vec4u(OUTPUTS));
    }
  }
}
