// Lists, input by input, the samples in which a layer's input is not zero: only they hold nudged
// copies that differ from the unperturbed pass. One workgroup; each thread takes a run of inputs.

override WIDTH: u32; // inputs + 1
override BATCH: u32;

@group(0) @binding(0) var<storage, read> a: array<u32>; // [BATCH, WIDTH], floats by their bits
@group(0) @binding(1) var<storage, read_write> starts: array<u32>; // [WIDTH + 1], into entries
@group(0) @binding(2) var<storage, read_write> entries: array<vec2u>; // (input, sample)

const WORKGROUP = 256u;
var<workgroup> counts: array<u32, WORKGROUP>;

fn is_set(n: u32, i: u32) -> bool {
  return (a[n * WIDTH + i] & 0x7fffffffu) != 0u;
}

@compute @workgroup_size(WORKGROUP)
fn list_entries(@builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let first = lane * WIDTH / WORKGROUP;
  let last = (lane + 1u) * WIDTH / WORKGROUP;
  var count = 0u;
  for (var i = first; i < last; i++) {
    for (var n = 0u; n < BATCH; n++) {
      count += select(0u, 1u, is_set(n, i));
    }
  }
  counts[lane] = count;
  workgroupBarrier();
  var next = 0u;
  for (var other = 0u; other < lane; other++) {
    next += counts[other];
  }
  for (var i = first; i < last; i++) {
    starts[i] = next;
    for (var n = 0u; n < BATCH; n++) {
      if (is_set(n, i)) {
        entries[next] = vec2u(i, n);
        next++;
      }
    }
  }
  if (lane == WORKGROUP - 1u) {
    starts[WIDTH] = next;
  }
}
