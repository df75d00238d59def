// The differences method for the weights into the output layer: one thread a weight W[i,k]. A nudge
// moves one logit of every sample. Twin of differences() in src/cpu/differences.ts.

#import loss

override INPUTS: u32;
override CLASSES: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override BATCH: u32;
override POINTS: u32; // of the stencil
override SLICES: u32;
override PARAMETERS: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, INPUTS + 1]
@group(0) @binding(1) var<storage, read> residuals: array<f32>; // [BATCH, CLASSES + 1]
@group(0) @binding(2) var<storage, read> labels: array<u32>; // [BATCH]
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]
@group(0) @binding(4) var<uniform> stencil: array<vec4f, 4>; // (offset h, coefficient / (h BATCH))

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn output_gradient(@builtin(global_invocation_id) id: vec3u) {
  let weight = id.x;
  let slice = id.y;
  let i = min(weight / CLASSES, INPUTS);
  let k = weight % CLASSES;
  var sum = 0.0;
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let row = n * (CLASSES + 1u);
    let label = labels[n];
    let input = a[n * (INPUTS + 1u) + i];
    let residual = residuals[row + k];
    let others = residuals[row + CLASSES];
    let of_target = residuals[row + label];
    for (var s = 0u; s < POINTS; s++) {
      let term = loss_term_of_one(residual, others, k == label, stencil[s].x * input);
      sum = fma(stencil[s].y, loss_change(term, of_target, false), sum);
    }
  }
  if (weight < (INPUTS + 1u) * CLASSES) {
    gradient[slice * PARAMETERS + OFFSET + weight] = sum;
  }
}
