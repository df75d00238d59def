// Last stage: the changes of the logits change the loss, and the changes of a weight's copies on
// all samples are its gradient. One thread a weight W[i,j] of the chunk and a slice of the samples.

#import loss
#import special
#import chunk

override OFFSET: u32; // of the nudged layer's matrix in the parameters
override OUTPUTS: u32; // of the nudged layer
override CLASSES: u32;
override POINTS: u32; // of the stencil
override SLICES: u32; // the samples are cut into so many slices, summed by the update
override PARAMETERS: u32;

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h batch))
@group(0) @binding(2) var<storage, read> starts: array<u32>; // [inputs of the nudged layer + 2]
@group(0) @binding(3) var<storage, read> entries: array<vec2u>; // (input, sample)
@group(0) @binding(4) var<storage, read> changes: array<f32>; // [rows, CLASSES], of the logits
@group(0) @binding(5) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(6) var<storage, read> labels: array<u32>; // [batch]
@group(0) @binding(7) var<storage, read_write> gradient: array<f32>; // [slices, parameters]

override WORKGROUP: u32 = 64;

// Changes of logit k for the points of the stencil, from `row` on.
fn changes_of(row: u32, k: u32) -> vec4f {
  let rows = row + min(vec4u(0u, 1u, 2u, 3u), vec4u(POINTS - 1u));
  let at = rows * CLASSES + k;
  return vec4f(changes[at.x], changes[at.y], changes[at.z], changes[at.w]);
}

@compute @workgroup_size(WORKGROUP)
fn collect(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let i = chunk.first_input + group.y;
  let j = min(group.x * WORKGROUP + local.x, chunk.units - 1u);
  let first = starts[chunk.first_input];
  // The stencil's points, at most four, go side by side; those beyond the last have no weight.
  let points = vec4f(stencil[0].y, stencil[1].y, stencil[2].y, stencil[3].y);
  let coefficients = select(vec4f(), points, vec4u(0u, 1u, 2u, 3u) < vec4u(POINTS));
  var sum = vec4f();
  let slice = group.z;
  let count = starts[i + 1u] - starts[i]; // samples whose input i is not 0
  let end = starts[i] + (slice + 1u) * count / SLICES;
  for (var e = starts[i] + slice * count / SLICES; e < end; e++) {
    let n = entries[e].y;
    let of_sample = residual_row(n);
    let row = ((e - first) * chunk.units + j) * POINTS;
    let reference = loss_reference(changes_of(row, labels[n]));
    var total = loss_sum();
    var bad = vec4f(); // a change that is no finite number, which a loss may hide
    for (var k = 0u; k < CLASSES; k++) {
      let d = changes_of(row, k);
      bad = select(d, bad, is_finite(d));
      total = loss_add(total, of_sample, k, d - reference);
    }
    sum += coefficients * select(bad, loss_change(total, of_sample), is_finite(bad));
  }
  if (group.x * WORKGROUP + local.x < chunk.units) {
    gradient[slice * PARAMETERS + OFFSET + i * OUTPUTS + chunk.first_unit + j] = (sum.x + sum.y) + (sum.z + sum.w);
  }
}
