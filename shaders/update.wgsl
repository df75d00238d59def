// One step of the optimiser: a thread takes four parameters. Sums the gradient's slices first. Twin of
// updateParameters() in src/core/optimizers.ts.

#import notes
#import optimizer

override PARAMETERS: u32;
override SLICES: u32;
override WEIGHT_DECAY: f32;

@group(0) @binding(0) var<storage, read_write> parameters: array<f32>; // [PARAMETERS]
@group(0) @binding(1) var<storage, read> gradient: array<f32>; // [SLICES, PARAMETERS]
@group(0) @binding(2) var<storage, read_write> state: array<vec2f>; // [PARAMETERS]
@group(0) @binding(3) var<storage, read> rates: array<vec4f>; // [steps]: rate, and its corrections

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
  note(index, parameter);
  var before = vec2f();
  if (HAS_STATE) {
    before = state[index];
  }
  let stepped = optimizer_step(sum, before, rate);
  parameters[index] = parameter + (stepped.change - rate.x * WEIGHT_DECAY * parameter);
  if (HAS_STATE) {
    state[index] = stepped.state;
  }
}

@compute @workgroup_size(WORKGROUP)
fn update(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  if (is_short()) {
    return;
  }
  let first = 4u * WORKGROUP * (group.y * groups.x + group.x) + lane;
  let rate = rates[step];
  update_one(first, rate);
  update_one(first + WORKGROUP, rate);
  update_one(first + 2u * WORKGROUP, rate);
  update_one(first + 3u * WORKGROUP, rate);
}
