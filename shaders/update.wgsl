// One step of the optimiser: a thread takes four parameters. Sums the gradient's slices first, and
// notes the first step that makes a parameter no finite number, with the first such parameter. Twin
// of updateParameters() in src/core/optimizers.ts.

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

fn update_one(index: u32, rate: vec4f) {
  if (index >= PARAMETERS) {
    return;
  }
  var sum = gradient[index];
  if (SLICES > 1u) {
    sum += gradient[PARAMETERS + index];
  }
  for (var slice = 2u; slice < SLICES; slice++) {
    sum += gradient[slice * PARAMETERS + index];
  }
  let parameter = parameters[index];
  var before = vec2f();
  if (HAS_STATE) {
    before = state[index];
  }
  let stepped = optimizer_step(sum, before, rate);
  let next = parameter + (stepped.change - rate.x * WEIGHT_DECAY * parameter);
  parameters[index] = next;
  if (HAS_STATE) {
    state[index] = stepped.state;
  }
  // By its bits: compilers take comparisons for granted that only NaN and infinity fail.
  let is_bad = (bitcast<u32>(next) & 0x7f800000u) == 0x7f800000u;
  if (is_bad && atomicMin(&notes[BAD], step) >= step) {
    atomicMin(&notes[BAD + 1u], index);
  }
}

@compute @workgroup_size(WORKGROUP)
fn update(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = 4u * WORKGROUP * (group.y * groups.x + group.x) + lane;
  let rate = rates[step];
  update_one(first, rate);
  update_one(first + WORKGROUP, rate);
  update_one(first + 2u * WORKGROUP, rate);
  update_one(first + 3u * WORKGROUP, rate);
}
