// The gradient of weights into units that have but a few states: a nudge takes its unit across some
// thresholds, or none, and each that it crosses brings what the response grows by there. What it
// counts is the sum of the coefficients of all points of the stencil that cross it. A thread takes
// four units of the part and a block of inputs, on a slice of the batch; the update adds the slices up.

#import activation
#import companions
#import part
#import special
#import entries
#import sums
#import origin

override POINTS: u32; // of the stencil

@group(0) @binding(0) var<storage, read> companions: array<vec2f>; // [batch, OUTPUTS]: derivative, input
@group(0) @binding(1) var<storage, read> responses: array<f32>; // [batch, STATES, units of the part]
// (offset h, coefficient / (h batch), reach, the sum of such coefficients from here on that side on)
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>;
// In storage: Mesa 22.3 crashes where a kernel has a fourth uniform.
@group(0) @binding(6) var<storage, read> sizes: Sizes;

const FARTHER = 1.0000153; // as in list_states.wgsl
const FEW = 4u; // points that are compared one by one

// Whether what moves the units by dz takes them across threshold i: up where they are below it.
fn crosses(i: u32, below: vec4<bool>, z: vec4f, dz: vec4f) -> vec4<bool> {
  return (state_of(z + dz) > vec4u(i)) == below;
}

// The sum of the coefficients of all points that cross threshold i. Where they are many, the first
// that does is found by division, and then as evaluation has it: all beyond it do, too.
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
  let side = select(vec4f(-spacing), vec4f(spacing), ahead);
  let last = f32(POINTS / 2u + 1u);
  let way = abs(quotient(threshold(i) - z, vec4f(spacing * input)));
  let guess = clamp(ceil(way), vec4f(1.0), vec4f(last));
  let earlier = crosses(i, below, z, side * (guess - 1.0) * input);
  let here = crosses(i, below, z, side * guess * input);
  let first = guess + select(select(vec4f(1.0), vec4f(), here), vec4f(-1.0), earlier);
  let rows = 2u * (vec4u(first) - 1u) + select(vec4u(1u), vec4u(), ahead);
  let found = vec4f(stencil[rows.x].w, stencil[rows.y].w, stencil[rows.z].w, stencil[rows.w].w);
  return select(vec4f(), found, (first < vec4f(last)) & vec4<bool>(input != 0.0));
}

@compute @workgroup_size(WORKGROUP, ABREAST)
fn collect_states(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let group = origin + id;
  let block_id = group.x;
  let first_unit = first_unit_of(group.y, local.x);
  let width = 4u * quads_of_part();
  let side = first_unit + WORKGROUP * vec4u(0u, 1u, 2u, 3u);
  let units = min(part.first_unit + side, vec4u(sizes.outputs - 1u));
  let slice = group.z * ABREAST + local.y;
  let far = vec4f(stencil[0].z * FARTHER);
  for (var n = start_of_slice(slice); n < start_of_slice(slice + 1u); n++) {
    let z = companions_at(n * sizes.outputs + units).inputs;
    let present = state_of(z);
    let lowest = state_of(z - far);
    let highest = state_of(z + far);
    let start = start_of(n, sizes.inputs, block_id);
    let end = starts[start + 1u];
    let low = min(min(lowest.x, lowest.y), min(lowest.z, lowest.w));
    let high = max(max(highest.x, highest.y), max(highest.z, highest.w));
    for (var i = low; i < high; i++) {
      let at = (n * STATES + i) * width + min(side, vec4u(width - 1u));
      let beyond = at + width;
      let under = vec4f(responses[at.x], responses[at.y], responses[at.z], responses[at.w]);
      let over = vec4f(
        responses[beyond.x],
        responses[beyond.y],
        responses[beyond.z],
        responses[beyond.w]
      );
      let below = present <= vec4u(i);
      // What no nudge reaches has no response.
      let reached = (lowest <= vec4u(i)) & (highest > vec4u(i));
      let growth = select(vec4f(), select(under - over, over - under, below), reached);
      for (var e = starts[start]; e < end; e++) {
        let pair = entries[e];
        add_to_sums(pair.x % BLOCK, growth * weights(i, below, z, bitcast<f32>(pair.y)));
        add_to_sums(pair.z % BLOCK, growth * weights(i, below, z, bitcast<f32>(pair.w)));
      }
    }
  }
  store_sums(slice, block_id, part.first_unit + first_unit);
}
