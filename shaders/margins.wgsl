// How far the inputs of a pool's window may move before another unit wins it, or its winner meets a
// kink: where all of a window's inputs move by less, the change of its winner is the change of the
// pool. They are bounds, so that one number serves all weights of a filter. A unit u stays below the
// winner w as long as it stays on a flat piece, which is the lowest or the highest of its values, or
// as both move by less than half of a_w - a_u, at the activation's steepest. A thread takes four
// pooled units, workgroups side by side channels and samples. Twin of margins() in
// src/method/map_twins.ts.

#import activation
#import special
#import window
#import pooled

override HALF_BY_STEEPEST: f32; // 1/2 of 1 / the steepest slope, and a little less
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> values: array<f32>; // [batch, units + 1], of the convolution
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [batch, units]: derivative, input
@group(0) @binding(2) var<storage, read_write> margins: array<vec4f>; // [batch, pooled units]: 1 / margin, for weights and for the bias; the winner's slope, and its cell of the window
@group(0) @binding(3) var<storage, read> sights: array<u32>; // [batch, groups, positions]: see sight.wgsl

const FAR = 3e38;

// Four pooled units side by side; beyond the last, that again.
struct Four {
  sample: u32,
  corners: vec4u, // the first unit of each window
  sights: vec4u, // where its sight stands
}

fn four_from(n: u32, channel: u32, first: u32) -> Four {
  let positions = window.output.x * window.output.y;
  let area = pooled.output.x * pooled.output.y;
  let on = min(first + vec4u(0u, 1u, 2u, 3u), vec4u(area - 1u));
  let rows = on / pooled.output.y;
  let columns = (on - rows * pooled.output.y) * pooled.stride.y;
  let corners = rows * pooled.stride.x * window.output.y + columns;
  let group = n * window.groups + channel / window.given;
  return Four(n, channel * positions + corners, group * positions + corners);
}

fn sights_of(four: Four, cells: vec4u) -> vec4u {
  let at = four.sights + cells;
  return vec4u(sights[at.x], sights[at.y], sights[at.z], sights[at.w]);
}

fn values_of(four: Four, cell: u32) -> vec4f {
  let at = four.sample * (outputs_of_window() + 1u) + four.corners + cell;
  return vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
}

fn inputs_of(four: Four, cell: u32) -> vec4f {
  let at = four.sample * outputs_of_window() + four.corners + cell;
  return vec4f(companions[at.x].y, companions[at.y].y, companions[at.z].y, companions[at.w].y);
}

@compute @workgroup_size(WORKGROUP)
fn margins_of(@builtin(global_invocation_id) id: vec3u) {
  let area = pooled.output.x * pooled.output.y;
  if (4u * id.x < area) {
    margins_from(id.z, id.y, 4u * id.x, area);
  }
}

fn nearness(margin: vec4f) -> vec4f {
  return select(quotient(vec4f(1.0), margin), vec4f(FAR), margin < vec4f(1e-30));
}

fn margins_from(n: u32, channel: u32, first: u32, area: u32) {
  let four = four_from(n, channel, first);
  let index = (n * window.groups * window.given + channel) * area + first;
  var winners = vec4u();
  var largest = vec4f(-FAR);
  for (var down = 0u; down < pooled.kernel.x; down++) {
    for (var across = 0u; across < pooled.kernel.y; across++) {
      let cell = down * window.output.y + across;
      let value = values_of(four, cell);
      winners = select(winners, vec4u(cell), value > largest);
      largest = max(largest, value);
    }
  }
  let none = vec4u();
  let is_blind = sights_of(four, winners) == none;
  var slope = vec4f();
  for (var down = 0u; down < pooled.kernel.x; down++) {
    for (var across = 0u; across < pooled.kernel.y; across++) {
      let cell = down * window.output.y + across;
      slope = select(slope, piece_slope(inputs_of(four, cell)), winners == vec4u(cell));
    }
  }
  var of_weights = vec4f(FAR);
  var of_bias = vec4f(FAR);
  for (var down = 0u; down < pooled.kernel.x; down++) {
    for (var across = 0u; across < pooled.kernel.y; across++) {
      let cell = down * window.output.y + across;
      let z = inputs_of(four, cell);
      let to_kink = min(piece_high(z) - z, z - piece_low(z));
      let wins = winners == vec4u(cell);
      let blind = sights_of(four, vec4u(cell)) == none;
      let is_flat = piece_slope(z) == vec4f();
      let gap = (largest - values_of(four, cell)) * HALF_BY_STEEPEST;
      let to_win = max(gap, select(vec4f(), to_kink, is_flat));
      // What sees nothing moves by the bias alone. The bias moves all alike.
      let by_weights = select(to_win, vec4f(FAR), blind & (is_blind | is_flat));
      let by_bias = select(to_win, vec4f(FAR), !is_flat & (piece_slope(z) == slope));
      of_weights = min(of_weights, select(by_weights, select(to_kink, vec4f(FAR), blind), wins));
      of_bias = min(of_bias, select(by_bias, to_kink, wins));
    }
  }
  let weights_near = nearness(of_weights);
  let bias_near = nearness(of_bias);
  let cells = vec4f(winners / window.output.y * pooled.kernel.y + winners % window.output.y);
  for (var i = 0u; i < min(4u, area - first); i++) {
    margins[index + i] = vec4f(weights_near[i], bias_near[i], slope[i], cells[i]);
  }
}
