// What a thread takes that sums over windows: 16 positions of a map, side by side, in eight channels of
// a group, as software adapters pay for what is loaded, and each number is loaded for so many sums. The
// sums are named variables, as arrays of them are slow.

#import outer_sum

const CHANNELS = 8u;
const POSITIONS = 16u;

struct Block {
  group: u32,
  channel: u32, // in its group
  position: u32,
}

// Blocks side by side; behind the last are those of a group that there is not.
fn block_at(index: u32, channels: u32, size: vec2u) -> Block {
  let along = (size.x * size.y + POSITIONS - 1u) / POSITIONS;
  let deep = (channels + CHANNELS - 1u) / CHANNELS;
  let at = index / along;
  return Block(at / deep, CHANNELS * (at % deep), POSITIONS * (index % along));
}

// The places of four positions; those beyond the last lie below the map, and are stored nowhere.
struct Places {
  x: vec2u,
  y: vec2u,
  z: vec2u,
  w: vec2u,
}

fn places_from(place: vec2u, size: vec2u) -> Places {
  let y = next_place(place, size);
  let z = next_place(y, size);
  return Places(place, y, z, next_place(z, size));
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

// Sums of four positions by eight channels.
struct Band {
  low: mat4x4f,
  high: mat4x4f,
}

fn add_to(band: Band, terms: vec4f, low: vec4f, high: vec4f) -> Band {
  return Band(outer_sum(band.low, terms, low), outer_sum(band.high, terms, high));
}

// What comes behind the sums looks them up: sums of four positions in a channel.
fn sums_of(tile: ptr<function, array<Band, 4>>, quad: u32, c: u32) -> vec4f {
  if (c < 4u) {
    return (*tile)[quad].low[c];
  }
  return (*tile)[quad].high[c - 4u];
}
