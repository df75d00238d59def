// What nudges of filters' weights do to their samples' losses, where linear operations and pieces
// stand behind: as far as no kink is met and no pool's winner changes, the logits move along one
// direction, propagated once for each sample and weight. A thread takes four rows; their responses,
// combined by the stencil. What goes beyond a kink is listed, to go the general way. Twin of
// respond_taps() in src/method/map_twins.ts.

#import loss
#import special
#import maps

override CLASSES: u32;
override ROW_QUADS: u32;
override WORKGROUP: u32;

@group(0) @binding(4) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(5) var<storage, read> labels: array<u32>; // [batch]
@group(0) @binding(6) var<storage, read_write> responses: array<f32>; // [channels of the part, batch, taps]
@group(0) @binding(7) var<storage, read> directions: array<vec4f>; // [CLASSES, ROW_QUADS], rows as in rows/taps.wgsl with one point
@group(0) @binding(8) var<storage, read> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // as in rows/listed_taps.wgsl
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch))

@compute @workgroup_size(WORKGROUP)
fn respond_taps(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var quad = id.x; 4u * quad < count_of_rows(); quad += groups.x * WORKGROUP) {
    if (4u * quad % maps.rows < responses_of_channel()) {
      respond_to(quad);
    }
  }
}

fn respond_to(quad: u32) {
  let local = local_of(quad);
  let within = 4u * quad % maps.rows; // taps are a multiple of 4: four rows are of one sample
  let n = sample_of(within);
  let row = residual_row(n);
  let reference = loss_reference(directions[labels[n] * ROW_QUADS + quad]);
  var low = vec4f();
  var high = vec4f();
  for (var k = 0u; k < CLASSES; k++) {
    let along = directions[k * ROW_QUADS + quad];
    low = min(low, along);
    high = max(high, along);
  }
  var response = vec4f();
  var farthest = 0.0;
  var nearest = 0.0;
  for (var s = 0u; s < POINTS; s++) {
    let t = stencil[s].x;
    var sum = loss_sum();
    for (var k = 0u; k < CLASSES; k++) {
      sum = loss_add(sum, row, k, t * (directions[k * ROW_QUADS + quad] - reference));
    }
    let most = t * (high - low);
    let dL = select(most, loss_change(sum, row), is_finite(most)); // overflow shows
    response = fma(vec4f(stencil[s].y), dL, response);
    farthest = max(farthest, t);
    nearest = min(nearest, t);
  }
  let first = local * responses_of_channel() + within;
  let beyond = (vec4f(farthest) > reaches[quad]) | (vec4f(-nearest) > reaches[ROW_QUADS + quad]);
  for (var i = 0u; i < 4u; i++) {
    responses[first + i] = response[i];
    if (beyond[i]) {
      let place = atomicAdd(&items[local], 1u);
      atomicStore(&items[maps.channels + local * responses_of_channel() + place], first + i);
    }
  }
}
