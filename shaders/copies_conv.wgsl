// The copies method, literally: a convolution or an average pool forward for many whole copies of the
// network, each with its own nudged weights, of a part of the lines of its sums at a time, and the
// activation behind the last. A thread takes four channels of a group at a position, of a copy on four
// samples. Twin of copies_conv() in src/method/window_twins.ts.

#import activation
#import copies
#import filter
#import origin
#import outer_sum
#import perturbation
#import window

override SAMPLE_QUADS: u32; // vectors of 4 samples, the last filled up
override COPIES: u32; // that there is room for
override SHARED: bool; // whether it takes the data, which all copies have in common
override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> copies: Copies;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(2) var<storage, read> a: array<vec4f>; // [1 or COPIES, inputs, SAMPLE_QUADS]
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>; // [COPIES, outputs, SAMPLE_QUADS], sums until all lines are in

// A copy's own weights.
fn nudged_at(indices: vec4u, nudges: vec4u, reaches: vec4f) -> vec4f {
  let weights = weights_at(indices);
  if (!HAS_WEIGHTS) {
    return weights;
  }
  return weights + perturbation(nudges, indices, reaches);
}

@compute @workgroup_size(WORKGROUP)
fn copies_conv(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let sample_quad = id.y;
  let copy = id.z;
  let positions = window.output.x * window.output.y;
  let position = id.x % positions;
  let quads = (window.given + 3u) / 4u;
  let quad = id.x / positions;
  let group = quad / quads;
  if (group >= window.groups || copy >= COPIES) {
    return;
  }
  let first = 4u * (quad % quads);
  let filters = group * window.given + channels_from(first, window.given);
  let whole = copies.first + copy;
  let nudges = nudges_of(vec4u(whole / POINTS));
  let reaches = vec4f(stencil[whole % POINTS].x);
  let place = place_of(position, window.output);
  let of_copy = select(copy * inputs_of_window(), 0u, SHARED);
  let rows = ((copy * outputs_of_window() + filters * positions) + position) * SAMPLE_QUADS;
  let at_end = rows + sample_quad;
  var sums = mat4x4f();
  if (window.first > 0u) {
    sums = mat4x4f(
      values[at_end.x],
      values[at_end.y],
      values[at_end.z],
      values[at_end.w]
    );
  } else if (HAS_WEIGHTS) {
    let biases = nudged_at(bias_index(filters), nudges, reaches);
    sums = mat4x4f(vec4f(biases.x), vec4f(biases.y), vec4f(biases.z), vec4f(biases.w));
  }
  var on = line_of(window.first);
  for (var line = window.first; line < window.behind; line++) {
    let channel = group * window.taken + on.x;
    let start = of_copy + channel * window.input.x * window.input.y;
    for (var across = 0u; across < window.kernel.y; across++) {
      let cell = vec2u(on.y, across);
      let at = place_taken(place, cell);
      if (is_within(at, window.input)) {
        let input = start + at.x * window.input.y + at.y;
        let weights = nudged_at(weight_index(filters, vec4u(on.x), cell), nudges, reaches);
        sums = outer_sum(sums, a[input * SAMPLE_QUADS + sample_quad], weights);
      }
    }
    on = next_line(on);
  }
  let is_last = window.behind == window.taken * window.kernel.x;
  for (var c = 0u; c < min(4u, window.given - first); c++) {
    var value = sums[c];
    if (is_last) {
      value = activate(value * share_of(place));
    }
    values[at_end[c]] = value;
  }
}
