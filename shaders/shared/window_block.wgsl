// What a thread takes that sums over windows: eight positions of a map, side by side, in four
// channels of a group, so that it loads each number for several sums.

#import outer_sum

const POSITIONS = 8u;

struct Block {
  group: u32,
  channel: u32, // in its group
  position: u32,
}

// Blocks side by side; those from blocks_of() on have nothing to do.
fn block_at(index: u32, channels: u32, size: vec2u) -> Block {
  let along = (size.x * size.y + POSITIONS - 1u) / POSITIONS;
  let quads = (channels + 4u - 1u) / 4u;
  let quad = index / along;
  return Block(quad / quads, 4u * (quad % quads), POSITIONS * (index % along));
}

// The places of four positions; beyond the last, that again.
struct Places {
  x: vec2u,
  y: vec2u,
  z: vec2u,
  w: vec2u,
}

fn places_from(position: u32, size: vec2u) -> Places {
  let at = min(position + vec4u(0u, 1u, 2u, 3u), vec4u(size.x * size.y - 1u));
  return Places(
    place_of(at.x, size),
    place_of(at.y, size),
    place_of(at.z, size),
    place_of(at.w, size)
  );
}

// What the window's cell has there, by the kernel's term_at(start, place, cell).
fn terms_at(start: u32, places: Places, cell: vec2u) -> vec4f {
  return vec4f(
    term_at(start, places.x, cell),
    term_at(start, places.y, cell),
    term_at(start, places.z, cell),
    term_at(start, places.w, cell)
  );
}

// Sums of eight positions by four channels.
struct Tile {
  near: mat4x4f,
  far: mat4x4f,
}

fn add_to(tile: Tile, near: vec4f, far: vec4f, weights: vec4f) -> Tile {
  return Tile(outer_sum(tile.near, near, weights), outer_sum(tile.far, far, weights));
}
