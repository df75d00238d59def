// The direction of a copy is one weight: direction d nudges the d-th of the parameters that are
// asked for.

@group(0) @binding(8) var<storage, read> chosen: array<u32>; // [DIRECTIONS]
override DIRECTIONS: u32;

fn nudges_of(directions: vec4u) -> vec4u {
  let at = min(directions, vec4u(DIRECTIONS - 1u));
  return vec4u(chosen[at.x], chosen[at.y], chosen[at.z], chosen[at.w]);
}

fn perturbation(nudges: vec4u, indices: vec4u, reaches: vec4f) -> vec4f {
  return select(vec4f(), reaches, indices == nudges);
}
