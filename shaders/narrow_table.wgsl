// The output layer's matrix as narrow.wgsl takes it: of each unit the weights into all classes, four
// side by side, then how far they lie apart. A thread takes a unit.

override UNITS: u32;
override CLASSES: u32;
override NEXT: u32; // of the output layer's matrix

@group(0) @binding(0) var<storage, read> parameters: array<f32>; // [parameters]
@group(0) @binding(1) var<storage, read_write> table: array<vec4f>; // [UNITS, CLASSES / 4 + 1]

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn narrow_table(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x;
  if (k >= UNITS) {
    return;
  }
  let quads = (CLASSES + 3u) / 4u;
  let first = NEXT + k * CLASSES;
  var low = parameters[first];
  var high = low;
  for (var quad = 0u; quad < quads; quad++) {
    var weights = vec4f();
    for (var c = 0u; c < min(4u, CLASSES - 4u * quad); c++) {
      let weight = parameters[first + 4u * quad + c];
      weights[c] = weight;
      low = min(low, weight);
      high = max(high, weight);
    }
    table[k * (quads + 1u) + quad] = weights;
  }
  table[k * (quads + 1u) + quads] = vec4f(high - low);
}
