// What a change of its input does to a unit made of straight pieces as long as it stays on its
// piece, and how far along the row's direction that is, ahead and behind.

#import special

@group(0) @binding(8) var<storage, read_write> reaches: array<atomic<u32>>; // [2: ahead and behind, 4 ROW_QUADS], the bits of numbers that are not negative

const FAR = 3e38;

var<private> ahead: vec4f = vec4f(FAR);
var<private> behind: vec4f = vec4f(FAR);

fn effect(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let up = max(piece_high(z) - z, vec4f());
  let down = max(z - piece_low(z), vec4f());
  // What does not move meets no kink, not even where it lies at one.
  let size = max(abs(dz), vec4f(1e-30));
  let still = dz == vec4f();
  let front = quotient(min(select(down, up, dz > vec4f()), size * FAR), size);
  let back = quotient(min(select(up, down, dz > vec4f()), size * FAR), size);
  ahead = min(ahead, select(front, vec4f(FAR), still));
  behind = min(behind, select(back, vec4f(FAR), still));
  return piece_slope(z) * dz;
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
