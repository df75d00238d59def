// One step of the optimiser: one thread a parameter. Sums the gradient's slices first, and notes the
// first step that makes a parameter no finite number, with the first such parameter. Twin of
// updateParameters() in src/core/optimizers.ts.

#import optimizer

override PARAMETERS: u32;
override SLICES: u32;
override WEIGHT_DECAY: f32;
override BAD: u32; // where the note is: a step, then a parameter

@group(0) @binding(0) var<storage, read_write> parameters: array<f32>; // [PARAMETERS]
@group(0) @binding(1) var<storage, read> gradient: array<f32>; // [SLICES, PARAMETERS]
@group(0) @binding(2) var<storage, read_write> state: array<vec2f>; // [PARAMETERS]
@group(0) @binding(3) var<storage, read> rates: array<vec4f>; // [steps]: rate, and its corrections
@group(0) @binding(4) var<storage, read> step: u32;
@group(0) @binding(5) var<storage, read_write> notes: array<atomic<u32>>; // behind the losses

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * WORKGROUP + id.x;
  if (index >= PARAMETERS) {
    return;
  }
  var sum = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) {
    sum += gradient[slice * PARAMETERS + index];
  }
  let rate = rates[step];
  let parameter = parameters[index];
  let stepped = optimizer_step(sum, state[index], rate);
  let next = parameter + (stepped.change - rate.x * WEIGHT_DECAY * parameter);
  parameters[index] = next;
  state[index] = stepped.state;
  // By its bits: compilers take comparisons for granted that only NaN and infinity fail.
  let is_bad = (bitcast<u32>(next) & 0x7f800000u) == 0x7f800000u;
  if (is_bad && atomicMin(&notes[BAD], step) >= step) {
    atomicMin(&notes[BAD + 1u], index);
  }
}
