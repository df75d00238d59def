// The copies method, literally: one layer forward for many whole copies of the network, each with
// its own nudged weights, as a matrix product of samples by columns. A column is a unit of a copy:
// where many copies have the same input, columns side by side are copies of one unit, which share
// its weights until each nudges its own; elsewhere they are units of one copy. How samples and
// columns are shared out among threads is the product's part. Twin of
// dense() in src/cpu/forward.ts, as copies() in src/cpu/copies.ts calls it.

#import activation
#import origin
#import copies
#import perturbation
#import product

override INPUTS: u32;
override OUTPUTS: u32;
override OFFSET: u32; // of the layer's matrix in the parameters
override FROM: u32; // the first input of this part of the sums
override TO: u32; // behind the last
override SAMPLE_QUADS: u32; // vectors of 4 samples, the last filled up
override COPIES: u32; // that there is room for
override SHARED: bool; // whether all copies have the same input
override ACROSS: bool; // whether columns side by side are copies of a unit, not units of a copy

@group(0) @binding(0) var<uniform> copies: Copies;
@group(0) @binding(1) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h BATCH))
@group(0) @binding(2) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(3) var<storage, read> a: array<vec4f>; // [1 or COPIES, INPUTS, SAMPLE_QUADS]
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>; // [COPIES, OUTPUTS, SAMPLE_QUADS], sums until all inputs are in

// Four columns side by side.
struct Columns {
  copies: vec4u, // counted in this run
  units: vec4u,
  nudges: vec4u, // what perturbation() knows the copies' directions by
  reaches: vec4f,
}

// Threads side by side take copies.
fn place_of(group: vec3u, lane: u32) -> Place {
  let copy = (group.z * LANES + lane) * select(1u, COLUMNS, ACROSS);
  return Place(group.x * select(COLUMNS, 1u, ACROSS), copy, group.y * QUADS);
}

fn first_input() -> u32 {
  return FROM;
}

fn behind_inputs() -> u32 {
  return TO;
}

fn is_last() -> bool {
  return TO == INPUTS;
}

// The columns from `first` on behind that of a copy's unit.
fn columns_at(place: Place, first: u32) -> Columns {
  let side = first + vec4u(0u, 1u, 2u, 3u);
  let run = place.copy + select(vec4u(), side, ACROSS);
  let whole = copies.first + run;
  let points = whole % vec4u(POINTS);
  return Columns(
    run,
    place.column + select(side, vec4u(), ACROSS),
    nudges_of(whole / vec4u(POINTS)),
    vec4f(stencil[points.x].x, stencil[points.y].x, stencil[points.z].x, stencil[points.w].x)
  );
}

// The weights of input i in four columns; those of input INPUTS are the biases.
fn weights_at(i: u32, columns: Columns) -> vec4f {
  let at = OFFSET + i * OUTPUTS + min(columns.units, vec4u(OUTPUTS - 1u));
  var weights = vec4f(parameters[at.x]);
  if (!ACROSS) {
    weights = vec4f(weights.x, parameters[at.y], parameters[at.z], parameters[at.w]);
  }
  return weights + perturbation(columns.nudges, at, columns.reaches);
}

fn inputs_at(place: Place, i: u32) -> u32 {
  let of_copy = select(min(place.copy, COPIES - 1u) * INPUTS * SAMPLE_QUADS, 0u, SHARED);
  return of_copy + i * SAMPLE_QUADS + min(place.quad, SAMPLE_QUADS - 1u);
}

// Columns and samples that are too many have a place, but none in the values.
fn exists(quad: u32, copy: u32, unit: u32) -> bool {
  return quad < SAMPLE_QUADS && unit < OUTPUTS && copy < COPIES;
}

// Where a column's sums are. Those that are too many share a place behind the last, as a condition
// for each would take some compilers minutes.
fn value_at(quad: u32, copy: u32, unit: u32) -> u32 {
  let at = (copy * OUTPUTS + unit) * SAMPLE_QUADS + quad;
  return select(COPIES * OUTPUTS * SAMPLE_QUADS, at, exists(quad, copy, unit));
}

// What the sums of 4 samples (rows) by 4 columns begin with: the biases, or the part before.
fn begin(quad: u32, columns: Columns) -> mat4x4f {
  if (FROM > 0u) {
    return mat4x4f(
      values[value_at(quad, columns.copies.x, columns.units.x)],
      values[value_at(quad, columns.copies.y, columns.units.y)],
      values[value_at(quad, columns.copies.z, columns.units.z)],
      values[value_at(quad, columns.copies.w, columns.units.w)]
    );
  }
  let biases = weights_at(INPUTS, columns);
  return mat4x4f(vec4f(biases.x), vec4f(biases.y), vec4f(biases.z), vec4f(biases.w));
}

fn store(quad: u32, columns: Columns, sums: mat4x4f) {
  values[value_at(quad, columns.copies.x, columns.units.x)] = sums[0];
  values[value_at(quad, columns.copies.y, columns.units.y)] = sums[1];
  values[value_at(quad, columns.copies.z, columns.units.z)] = sums[2];
  values[value_at(quad, columns.copies.w, columns.units.w)] = sums[3];
}

// The activation, for what was stored.
fn close(quad: u32, columns: Columns) {
  for (var i = 0u; i < 4u; i++) {
    if (exists(quad, columns.copies[i], columns.units[i])) {
      let at = value_at(quad, columns.copies[i], columns.units[i]);
      values[at] = activate(values[at]);
    }
  }
}

fn open(quad: u32) {}

fn end(quad: u32) {}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn copies_dense(
  @builtin(workgroup_id) id: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  multiply(place_of(origin + id, lane_of(lane)), local, lane);
}
