// A matrix as narrow.wgsl takes it: rows of weights, four side by side, and behind each row how far its
// weights lie apart, and the sum of their sizes. A thread takes a row. Where rows are units, they are
// columns of the parameters' matrix.

struct Sizes {
  rows: u32,
  columns: u32,
  matrix: u32, // where it begins in the parameters
  row_stride: u32,
  column_stride: u32,
  first: u32, // where it begins in the table
}

@group(0) @binding(2) var<uniform> sizes: Sizes;
@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read_write> table: array<vec4f>; // [ROWS, COLUMNS / 4 + 1] from FIRST on

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn narrow_table(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= sizes.rows) {
    return;
  }
  let quads = (sizes.columns + 3u) / 4u;
  let first = sizes.first + row * (quads + 1u);
  var low = 3e38;
  var high = -3e38;
  var sum = 0.0;
  for (var quad = 0u; quad < quads; quad++) {
    var weights = vec4f();
    for (var i = 0u; i < min(4u, sizes.columns - 4u * quad); i++) {
      let weight = parameters[sizes.matrix + row * sizes.row_stride + (4u * quad + i) * sizes.column_stride];
      weights[i] = weight;
      low = min(low, weight);
      high = max(high, weight);
      sum += abs(weight);
    }
    table[first + quad] = weights;
  }
  table[first + quads] = vec4f(high - low, sum, 0.0, 0.0);
}
