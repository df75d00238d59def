// What a change of its input does to a unit made of straight pieces as long as it stays on its
// piece, and how far along the row's direction that is, ahead and behind.

#import special

@group(0) @binding(8) var<storage, read_write> reaches: array<atomic<u32>>; // [2: ahead and behind, 4 ROW_QUADS], the bits of numbers that are not negative

const FAR = 3e38;

var<private> ahead: vec4f = vec4f(FAR);
var<private> behind: vec4f = vec4f(FAR);

const STRAIGHT = true;

fn effect(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let up = max(piece_high(z) - z, vec4f());
  let down = max(z - piece_low(z), vec4f());
  let is_up = dz > vec4f();
  note_kinks(select(down, up, is_up), select(up, down, is_up), dz);
  return piece_slope(z) * dz;
}

// A kink is met where what lies that far off comes nearer, at that rate, ahead, or behind.
fn meet(gap: vec4f, rate: vec4f) {
  let is_near = rate > vec4f();
  note_kinks(select(vec4f(FAR), gap, is_near), select(gap, vec4f(FAR), is_near), rate);
}

// Kinks that far away in front and at the back, at that rate.
fn note_kinks(to_front: vec4f, to_back: vec4f, rate: vec4f) {
  // What does not move meets no kink, not even where it lies at one.
  let size = max(abs(rate), vec4f(1e-30));
  let still = rate == vec4f();
  let front = quotient(min(to_front, size * FAR), size);
  let back = quotient(min(to_back, size * FAR), size);
  ahead = min(ahead, select(front, vec4f(FAR), still));
  behind = min(behind, select(back, vec4f(FAR), still));
}

// Numbers that are not negative are ordered as their bits are.
fn note_reach(quad: u32) {
  for (var i = 0u; i < 4u; i++) {
    atomicMin(&reaches[4u * quad + i], bitcast<u32>(ahead[i]));
    atomicMin(&reaches[4u * (ROW_QUADS + quad) + i], bitcast<u32>(behind[i]));
  }
  ahead = vec4f(FAR);
  behind = vec4f(FAR);
}
