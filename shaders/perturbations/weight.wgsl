// The direction of a copy is one weight: direction d nudges parameter d alone.

fn nudges_of(directions: vec4u) -> vec4u {
  return directions;
}

fn perturbation(nudges: vec4u, indices: vec4u, reaches: vec4f) -> vec4f {
  return select(vec4f(), reaches, indices == nudges);
}
