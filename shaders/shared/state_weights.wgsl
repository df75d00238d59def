// What the thresholds count that nudges of a weight cross: the sum of the coefficients of all points of
// the stencil that do.

#import activation
#import special
#import part

override POINTS: u32; // of the stencil

@group(0) @binding(1) var<storage, read> responses: array<f32>; // [batch, STATES, units of the part]
// (offset h, coefficient / (h batch), reach, the sum of such coefficients from here on that side on)
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>;

const FARTHER = 1.0000153; // as in list_states.wgsl
const FEW = 4u; // points that are compared one by one
const DOWNWARDS = 0.999998; // by more than what is rounded

// Whether what moves the units by dz takes them across threshold i: up where they are below it.
fn crosses(i: u32, below: vec4<bool>, z: vec4f, dz: vec4f) -> vec4<bool> {
  return (state_of(z + dz) > vec4u(i)) == below;
}

// The sum of the coefficients of all points that cross threshold i. Where they are many, the first
// that does is found by division, or the one before it, for that is rounded downwards; then as
// evaluation has it: all beyond it do, too.
fn weights(i: u32, below: vec4<bool>, z: vec4f, input: f32) -> vec4f {
  var sum = vec4f();
  if (POINTS <= FEW) {
    for (var s = 0u; s < POINTS; s++) {
      let crossed = crosses(i, below, z, vec4f(stencil[s].x * input));
      sum += select(vec4f(), vec4f(stencil[s].y), crossed);
    }
    return sum;
  }
  let spacing = stencil[0].x; // points come in pairs, ahead and behind, so far apart
  let ahead = below == vec4<bool>(input > 0.0);
  let last = f32(POINTS / 2u + 1u);
  let gaps = abs(threshold(i) - z) * DOWNWARDS;
  let ways = gaps * quotient(vec4f(1.0), vec4f(spacing * abs(input)));
  let guess = clamp(ceil(ways), vec4f(1.0), vec4f(last));
  let moved = select(vec4f(-spacing), vec4f(spacing), ahead) * guess * input;
  let first = guess + select(vec4f(1.0), vec4f(), crosses(i, below, z, moved));
  // Behind the last point all rows are 0.
  let rows = 2u * vec4u(first) - select(vec4u(1u), vec4u(2u), ahead);
  let found = vec4f(stencil[rows.x].w, stencil[rows.y].w, stencil[rows.z].w, stencil[rows.w].w);
  return select(vec4f(), found, vec4<bool>(input != 0.0));
}

// What the responses of four units of the part grow by across threshold i; nothing where no nudge gets
// there, for what is not reached has no response.
fn growth_at(
  n: u32,
  units: vec4u, // of the part
  i: u32,
  below: vec4<bool>,
  lowest: vec4u,
  highest: vec4u,
) -> vec4f {
  let width = 4u * quads_of_part();
  let at = (n * STATES + i) * width + min(units, vec4u(width - 1u));
  let beyond = at + width;
  let under = vec4f(responses[at.x], responses[at.y], responses[at.z], responses[at.w]);
  let over = vec4f(
    responses[beyond.x],
    responses[beyond.y],
    responses[beyond.z],
    responses[beyond.w]
  );
  let reached = (lowest <= vec4u(i)) & (highest > vec4u(i));
  return select(vec4f(), select(under - over, over - under, below), reached);
}
