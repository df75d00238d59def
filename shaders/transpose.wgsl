// Turns a batch of inputs on its side, four samples a vector, as the product of copies takes it.

override INPUTS: u32;
override BATCH: u32;
override SAMPLE_QUADS: u32; // vectors of 4 samples, the last filled up

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(1) var<storage, read_write> turned: array<vec4f>; // [INPUTS, SAMPLE_QUADS]

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn transpose(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < INPUTS) {
    let rows = min(4u * id.y + vec4u(0u, 1u, 2u, 3u), vec4u(BATCH - 1u)) * (INPUTS + 1u) + i;
    turned[i * SAMPLE_QUADS + id.y] = vec4f(x[rows.x], x[rows.y], x[rows.z], x[rows.w]);
  }
}
