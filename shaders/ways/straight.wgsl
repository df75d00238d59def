// The direction of the logits where linear operations and pieces stand behind a unit: propagated
// once a sample and unit, and true as far as no kink is met.

const HAS_REACH = true;

@group(0) @binding(7) var<storage, read> directions: array<vec4f>; // [CLASSES, ROW_QUADS], rows as in rows/all.wgsl
@group(0) @binding(8) var<storage, read> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]
@group(0) @binding(9) var<storage, read_write> items: array<atomic<u32>>; // how many there are, then the items

override ROW_QUADS: u32;

fn direction(n: u32, quad: u32, units: vec4u, k: u32) -> vec4f {
  return directions[k * ROW_QUADS + n * quads_of_part() + quad];
}

// Lists those of four responses in which a nudge goes beyond a kink: what is listed goes the
// general way, and takes the place of what the direction gave.
fn list_outside(n: u32, quad: u32, response: u32, nearest: vec4f, farthest: vec4f) {
  let at = n * quads_of_part() + quad;
  let beyond = (farthest > reaches[at]) | (-nearest > reaches[ROW_QUADS + at]);
  let first = part.first_unit + 4u * quad;
  for (var unit = 0u; unit < min(4u, max(first, OUTPUTS) - first); unit++) {
    if (beyond[unit]) {
      atomicStore(&items[1u + atomicAdd(&items[0], 1u)], 4u * response + unit);
    }
  }
}
