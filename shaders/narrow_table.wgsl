// A matrix as narrow.wgsl takes it: rows of weights, four side by side, and behind each row how far its
// weights lie apart, and the sum of their sizes. A thread takes a row. Where rows are units, they are
// columns of the parameters' matrix.

override ROWS: u32;
override COLUMNS: u32;
override MATRIX: u32; // where it begins in the parameters
override ROW_STRIDE: u32;
override COLUMN_STRIDE: u32;
override FIRST: u32; // where it begins in the table

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read_write> table: array<vec4f>; // [ROWS, COLUMNS / 4 + 1] from FIRST on

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn narrow_table(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= ROWS) {
    return;
  }
  let quads = (COLUMNS + 3u) / 4u;
  let first = FIRST + row * (quads + 1u);
  var low = 3e38;
  var high = -3e38;
  var sum = 0.0;
  for (var quad = 0u; quad < quads; quad++) {
    var weights = vec4f();
    for (var i = 0u; i < min(4u, COLUMNS - 4u * quad); i++) {
      let weight = parameters[MATRIX + row * ROW_STRIDE + (4u * quad + i) * COLUMN_STRIDE];
      weights[i] = weight;
      low = min(low, weight);
      high = max(high, weight);
      sum += abs(weight);
    }
    table[first + quad] = weights;
  }
  table[first + quads] = vec4f(high - low, sum, 0.0, 0.0);
}
