// Every unit of the part moves by 1: what comes of it is a direction. The reach is not known yet.

#import rows

override ROW_QUADS: u32;
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read_write> moves: array<vec4f>; // [ROW_QUADS]
@group(0) @binding(1) var<storage, read_write> reaches: array<vec4f>; // [2: ahead and behind, ROW_QUADS]

@compute @workgroup_size(WORKGROUP)
fn move_one(@builtin(global_invocation_id) id: vec3u) {
  if (4u * id.x < count_of_rows()) {
    moves[id.x] = vec4f(1.0);
    reaches[id.x] = vec4f(3e38);
    reaches[ROW_QUADS + id.x] = vec4f(3e38);
  }
}
