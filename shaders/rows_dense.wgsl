// Rows of changes of a layer's units, times the next matrix, change the next layer's units: a
// matrix product of rows by units, by the same products as whole copies. Twin of rows_dense() in
// src/method/response_twins.ts.

#import activation
#import rows
#import effect
#import row_quads
#import product

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read> a: array<vec4f>; // [inputs, ROW_QUADS]

override CONTINUED: bool; // whether the sums go on from a part before

// Four columns side by side: units.
struct Columns {
  units: vec4u,
  matrix: u32, // where the rows of the matrix begin that are taken
}

fn columns_at(place: Place, first: u32) -> Columns {
  let matrix = changed.offset + start_before(place.quad) * changed.width;
  return Columns(place.column + first + vec4u(0u, 1u, 2u, 3u), matrix);
}

// Workgroups side by side take units, their threads rows.
fn place_of(group: vec3u, lane: u32) -> Place {
  return Place(group.x * COLUMNS, 0u, (group.y * LANES + lane) * QUADS);
}

// A group's threads walk the rows, as many as there are.
fn next_of(place: Place, groups: vec3u) -> Place {
  return Place(place.column, place.copy, place.quad + groups.y * LANES * QUADS);
}

fn first_input() -> u32 {
  return changed.first;
}

fn behind_inputs() -> u32 {
  return changed.behind;
}

fn is_last() -> bool {
  return changed.behind == changed.inputs;
}

fn is_empty(place: Place) -> bool {
  return 4u * place.quad >= count_of_rows();
}

fn inputs_at(place: Place, i: u32) -> u32 {
  return i * ROW_QUADS + min(place.quad, ROW_QUADS - 1u);
}

fn weights_at(i: u32, columns: Columns) -> vec4f {
  let at = columns.matrix + i * changed.width + min(columns.units, vec4u(changed.width - 1u));
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

// Where a column's sums are. Those beyond the last share a place behind it, as a condition for each
// would take some compilers minutes.
fn place_in_changes(quad: u32, unit: u32) -> u32 {
  return min(unit, changed.width) * ROW_QUADS + quad;
}

// Sums begin with nothing, or with the part before.
fn begin(quad: u32, columns: Columns) -> mat4x4f {
  if (!CONTINUED) {
    return mat4x4f();
  }
  return mat4x4f(
    changes[place_in_changes(quad, columns.units.x)],
    changes[place_in_changes(quad, columns.units.y)],
    changes[place_in_changes(quad, columns.units.z)],
    changes[place_in_changes(quad, columns.units.w)]
  );
}

fn store(quad: u32, columns: Columns, sums: mat4x4f) {
  changes[place_in_changes(quad, columns.units.x)] = sums[0];
  changes[place_in_changes(quad, columns.units.y)] = sums[1];
  changes[place_in_changes(quad, columns.units.z)] = sums[2];
  changes[place_in_changes(quad, columns.units.w)] = sums[3];
}

var<private> samples: vec4u; // of the rows that are closed

fn open(quad: u32) {
  samples = samples_of(responses_of(quad));
}

// The units' own change, for what was stored.
fn close(quad: u32, columns: Columns) {
  if (!has_rows(quad)) {
    return;
  }
  for (var k = columns.units.x; k < min(columns.units.x + 4u, changed.width); k++) {
    let at = k * ROW_QUADS + quad;
    changes[at] = effect_on(samples, k, changes[at]);
  }
}

// Behind all columns of a thread's rows.
fn end(quad: u32) {
  if (has_rows(quad)) {
    note_reach(quad);
  }
}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn rows_dense(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  for (var place = place_of(id, lane_of(lane)); !is_empty(place); place = next_of(place, groups)) {
    if (has_rows(place.quad)) {
      multiply(place, local, lane);
    }
  }
}
