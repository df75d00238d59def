// Backpropagation, for comparison only: the gradient of a convolution's weights, the sums over the
// batch and the rows of the maps that it gives, of which a part is taken at a time. A thread takes four
// filters of a group and four weights of each, their bias being the last, on a slice of the batch.
// Twin of backprop_filters() in src/method/window_twins.ts.

#import origin
#import outer_sum
#import window

override BATCH: u32;
override SLICES: u32; // the batch is cut into so many slices, summed by the update
override PARAMETERS: u32;
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>; // [BATCH, inputs + 1]
@group(0) @binding(1) var<storage, read> errors: array<f32>; // [BATCH, outputs]
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>; // [SLICES, PARAMETERS]

// Where a weight takes its inputs: a channel, and a cell.
struct Taken {
  start: u32, // of the channel's map in the sample
  cell: vec2u,
  is_bias: bool,
}

fn taken_by(group: u32, weight: u32) -> Taken {
  let cells = window.kernel.x * window.kernel.y;
  let channel = group * window.taken + min(weight / cells, window.taken - 1u);
  return Taken(
    channel * window.input.x * window.input.y,
    place_of(weight % cells, window.kernel),
    weight >= weights_of_filter()
  );
}

fn input_of(row: u32, taken: Taken, place: vec2u) -> f32 {
  let at = place_taken(place, taken.cell);
  let within = is_within(at, window.input);
  let value = a[row + taken.start + select(0u, at.x * window.input.y + at.y, within)];
  return select(select(0.0, value, within), 1.0, taken.is_bias);
}

fn store(slice: u32, filter_at: u32, weight: u32, sum: f32) {
  let last = weights_of_filter();
  let index = select(
    window.offset + filter_at * last + weight,
    bias_index(vec4u(filter_at)).x,
    weight == last
  );
  let at = slice * PARAMETERS + index;
  gradient[at] = sum + select(0.0, gradient[at], window.first > 0u);
}

@compute @workgroup_size(WORKGROUP)
fn backprop_filters(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let slice = id.z;
  let quads = (weights_of_filter() + 4u) / 4u;
  let weight = 4u * (id.x % quads);
  let filter_quads = (window.given + 4u - 1u) / 4u;
  let quad = id.x / quads;
  let group = quad / filter_quads;
  if (group >= window.groups) {
    return;
  }
  let first = 4u * (quad % filter_quads);
  let filters = group * window.given + channels_from(first, window.given);
  let taken_x = taken_by(group, weight);
  let taken_y = taken_by(group, weight + 1u);
  let taken_z = taken_by(group, weight + 2u);
  let taken_w = taken_by(group, weight + 3u);
  let positions = window.output.x * window.output.y;
  var sums = mat4x4f();
  for (var n = slice * BATCH / SLICES; n < (slice + 1u) * BATCH / SLICES; n++) {
    let row = n * (inputs_of_window() + 1u);
    for (var down = window.first; down < window.behind; down++) {
      for (var across = 0u; across < window.output.y; across++) {
        let place = vec2u(down, across);
        let at = n * outputs_of_window() + filters * positions + down * window.output.y + across;
        let error = vec4f(errors[at.x], errors[at.y], errors[at.z], errors[at.w]);
        let inputs = vec4f(
          input_of(row, taken_x, place),
          input_of(row, taken_y, place),
          input_of(row, taken_z, place),
          input_of(row, taken_w, place)
        );
        sums = outer_sum(sums, inputs, error);
      }
    }
  }
  for (var c = 0u; c < min(4u, window.given - first); c++) {
    let of_filter = sums[c];
    for (var k = 0u; k < min(4u, weights_of_filter() + 1u - weight); k++) {
      store(slice, filters.x + c, weight + k, of_filter[k]);
    }
  }
}
