// How far a filter's weights may be nudged before another unit wins a pool's window, or its winner meets
// a kink: up to there the change of its winner is the change of the pool. They are bounds, so that one
// number serves all weights of a filter: a nudge moves a unit by no more than times the largest that it
// sees. A unit u stays below the winner w as long as it stays on a flat piece, which is the lowest or
// the highest of its values, or as both move by less than half of a_w - a_u, at the activation's
// steepest; and for ever where both see the same, as along a straight edge of a picture. A thread takes four
// pooled units, workgroups side by side channels and samples. Twin of margins() in
// src/method/map_twins.ts.

#import activation
#import special
#import window
#import pooled
#import origin

override HALF_BY_STEEPEST: f32; // 1/2 of 1 / the steepest slope, and a little less
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> values: array<f32>; // [batch, units + 1], of the convolution
@group(0) @binding(1) var<storage, read> companions: array<vec2f>; // [batch, units]: derivative, input
@group(0) @binding(2) var<storage, read_write> margins: array<vec4f>; // [batch, pooled units]: 1 / margin, for weights and for the bias; the winner's slope, and its cell of the window
@group(0) @binding(4) var<storage, read> a: array<f32>; // [batch, inputs + 1], what the convolution sees
@group(0) @binding(3) var<storage, read> sights: array<f32>; // [batch, groups, positions]: see sight.wgsl

const FAR = 3e38;

// Four pooled units side by side; beyond the last, that again.
struct Four {
  sample: u32,
  corners: vec4u, // the first unit of each window
  sights: vec4u, // where its sight stands
  group: u32,
  positions: vec4u, // of the corners
}

fn four_from(n: u32, channel: u32, first: u32) -> Four {
  let positions = window.output.x * window.output.y;
  let area = pooled.output.x * pooled.output.y;
  let on = min(first + vec4u(0u, 1u, 2u, 3u), vec4u(area - 1u));
  let rows = on / pooled.output.y;
  let columns = (on - rows * pooled.output.y) * pooled.stride.y;
  let corners = rows * pooled.stride.x * window.output.y + columns;
  let group = channel / window.given;
  let seen = (n * window.groups + group) * positions + corners;
  return Four(n, channel * positions + corners, seen, group, corners);
}

fn sights_of(four: Four, cells: vec4u) -> vec4f {
  let at = four.sights + cells;
  return vec4f(sights[at.x], sights[at.y], sights[at.z], sights[at.w]);
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
fn margins_of(@builtin(global_invocation_id) part: vec3u) {
  let id = vec3u(WORKGROUP, 1u, 1u) * origin + part;
  let area = pooled.output.x * pooled.output.y;
  if (4u * id.x < area) {
    margins_from(id.z, id.y, 4u * id.x, area);
  }
}

// How far a nudge may go that moves a unit by so much of it, until it has moved by that.
fn nudge_to(distance: vec4f, seen: vec4f) -> vec4f {
  let far = min(distance, vec4f(1e7)) * quotient(vec4f(1.0), max(seen, vec4f(1e-30)));
  return select(far, vec4f(FAR), seen == vec4f());
}

// Whether two units of a channel see the same.
fn see_alike(n: u32, group: u32, one: u32, other: u32) -> bool {
  let area = window.input.x * window.input.y;
  let first = n * (inputs_of_window() + 1u) + group * window.taken * area;
  for (var line = 0u; line < window.taken * window.kernel.x; line++) {
    let on = line_of(line);
    for (var across = 0u; across < window.kernel.y; across++) {
      let here = seen_at(first + on.x * area, one, vec2u(on.y, across));
      if (here != seen_at(first + on.x * area, other, vec2u(on.y, across))) {
        return false;
      }
    }
  }
  return true;
}

fn seen_at(map: u32, position: u32, cell: vec2u) -> f32 {
  let at = place_taken(place_of(position, window.output), cell);
  let within = is_within(at, window.input);
  return select(0.0, a[map + select(0u, at.x * window.input.y + at.y, within)], within);
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
  let of_winner = sights_of(four, winners);
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
      let seen = sights_of(four, vec4u(cell));
      let is_flat = piece_slope(z) == vec4f();
      let gap = (largest - values_of(four, cell)) * HALF_BY_STEEPEST;
      let to_win = max(gap, select(vec4f(), to_kink, is_flat));
      // What sees nothing moves by the bias alone. The bias moves all alike.
      let most = max(seen, of_winner);
      var by_weights = select(nudge_to(to_win, most), vec4f(FAR), (seen == vec4f()) & is_flat);
      let ties = (gap == vec4f()) & (piece_slope(z) == slope) & !is_flat & !wins & (seen == of_winner);
      if (any(ties)) {
        for (var i = 0u; i < 4u; i++) {
          if (ties[i] && see_alike(n, four.group, four.positions[i] + cell, four.positions[i] + winners[i])) {
            by_weights[i] = FAR;
          }
        }
      }
      let by_bias = select(to_win, vec4f(FAR), !is_flat & (piece_slope(z) == slope));
      of_weights = min(of_weights, select(by_weights, nudge_to(to_kink, seen), wins));
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
