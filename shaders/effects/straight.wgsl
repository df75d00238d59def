// What a change of its input does to a unit made of straight pieces as long as it stays on its
// piece, and how far along the row's direction that is, ahead and behind.

#import special

@group(0) @binding(8) var<storage, read_write> reaches: array<atomic<u32>>; // [2: ahead and behind, 4 ROW_QUADS], the bits of numbers that are not negative

const FAR = 3e38;
const LEAST = 1e-37; // nearness that is told from none: no subnormal number, which may be 0

// One over how far the nearest kink lies, in each direction.
var<private> near_ahead: vec4f;
var<private> near_behind: vec4f;

const STRAIGHT = true;

// One over how far a kink lies at that distance, met at that speed.
fn nearness(speed: vec4f, distance: vec4f) -> vec4f {
  return min(speed * quotient(vec4f(1.0), max(distance, vec4f(1e-30))), vec4f(FAR));
}

fn effect(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let speed = abs(dz);
  let up = nearness(speed, piece_high(z) - z);
  let down = nearness(speed, z - piece_low(z));
  let rises = dz > vec4f();
  near_ahead = max(near_ahead, select(down, up, rises));
  near_behind = max(near_behind, select(up, down, rises));
  return piece_slope(z) * dz;
}

// A kink is met where what lies that far off comes nearer, at that rate, ahead, or behind.
fn meet(gap: vec4f, rate: vec4f) {
  let near = nearness(abs(rate), gap);
  let rises = rate > vec4f();
  near_ahead = max(near_ahead, select(vec4f(), near, rises));
  near_behind = max(near_behind, select(near, vec4f(), rises));
}

// Numbers that are not negative are ordered as their bits are.
fn note_reach(quad: u32) {
  let ahead = quotient(vec4f(1.0), max(near_ahead, vec4f(LEAST)));
  let behind = quotient(vec4f(1.0), max(near_behind, vec4f(LEAST)));
  for (var i = 0u; i < 4u; i++) {
    atomicMin(&reaches[4u * quad + i], bitcast<u32>(ahead[i]));
    atomicMin(&reaches[4u * (ROW_QUADS + quad) + i], bitcast<u32>(behind[i]));
  }
  near_ahead = vec4f();
  near_behind = vec4f();
}
