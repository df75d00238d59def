// What each unit of a convolution's maps, pooled, does to the logits of each sample where it moves by
// one and no unit behind it meets a kink: a matrix product of the layer behind by its units' outlets,
// by the same products as rows of changes. Twin of unit_directions() in
// src/method/superposition_twins.ts.

#import origin
#import product
#import superposed

override OFFSET: u32; // of the matrix of the layer behind, [INPUTS + 1, BETWEEN]
override INPUTS: u32;

@group(0) @binding(0) var<storage, read> parameters: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<vec4f>; // [BETWEEN, PLACES]: outlets
@group(0) @binding(2) var<storage, read_write> directions: array<vec4f>; // [INPUTS + 1, PLACES], the last for nothing

// Four columns side by side: units of the maps.
struct Columns {
  units: vec4u,
}

fn columns_at(place: Place, first: u32) -> Columns {
  return Columns(place.column + first + vec4u(0u, 1u, 2u, 3u));
}

fn first_input() -> u32 {
  return 0u;
}

fn behind_inputs() -> u32 {
  return BETWEEN;
}

fn is_last() -> bool {
  return false; // nothing comes behind the sums
}

fn inputs_at(place: Place, i: u32) -> u32 {
  return i * PLACES + place.quad;
}

fn weights_at(i: u32, columns: Columns) -> vec4f {
  let at = OFFSET + min(columns.units, vec4u(INPUTS)) * BETWEEN + i;
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

fn begin(quad: u32, columns: Columns) -> mat4x4f {
  return mat4x4f();
}

// Columns beyond the last share a place behind it, as a condition for each would take some compilers
// minutes.
fn store(quad: u32, columns: Columns, sums: mat4x4f) {
  let at = min(columns.units, vec4u(INPUTS)) * PLACES + quad;
  directions[at.x] = sums[0];
  directions[at.y] = sums[1];
  directions[at.z] = sums[2];
  directions[at.w] = sums[3];
}

fn open(quad: u32) {}

fn close(quad: u32, columns: Columns) {}

fn end(quad: u32) {}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn unit_directions(
  @builtin(workgroup_id) part: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = origin + part;
  let quad = (id.y * LANES + lane_of(lane)) * QUADS;
  if (quad < PLACES) {
    multiply(Place(id.x * COLUMNS, 0u, quad), local, lane);
  }
}
