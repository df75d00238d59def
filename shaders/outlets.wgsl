// What a unit of the last layer but one does to each logit where its input moves by one, as long as it
// stays on its straight piece: its slope times its row of the last matrix. A thread takes a unit and
// four logits of a sample. Twin of outlets() in src/method/superposition_twins.ts.

#import activation
#import superposed

override BATCH: u32;
override OFFSET: u32; // of the last matrix
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>;
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [BATCH, units]: derivative, input
@group(0) @binding(2) var<storage, read_write> outlets: array<vec4f>; // [units, samples' logits]

@compute @workgroup_size(WORKGROUP)
fn outlets_of(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = logit_quads();
  let along = BATCH * quads;
  for (var index = id.x; index < BETWEEN * along; index += groups.x * WORKGROUP) {
    let unit = index / along;
    let n = index % along / quads;
    let logits = 4u * (index % quads) + vec4u(0u, 1u, 2u, 3u);
    let is_there = logits < vec4u(CLASSES);
    let at = OFFSET + unit * CLASSES + select(vec4u(), logits, is_there);
    let weights = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
    let slope = piece_slope(vec4f(companions[n * BETWEEN + unit].y));
    outlets[unit * PLACES + index % along] = select(vec4f(), slope * weights, is_there);
  }
}
