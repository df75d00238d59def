// What changes of four units need beside their values, as dense.wgsl leaves it.

struct Companions {
  derivatives: vec4f,
  inputs: vec4f,
}

fn companions_at(at: vec4u) -> Companions {
  let x = companions[at.x];
  let y = companions[at.y];
  let z = companions[at.z];
  let w = companions[at.w];
  return Companions(vec4f(x.x, y.x, z.x, w.x), vec4f(x.y, y.y, z.y, w.y));
}
