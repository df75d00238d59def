// What a change of its input does to a unit: exactly, whatever the change.

fn effect(a: vec4f, c: vec4f, dz: vec4f) -> vec4f {
  return activation_change(a, c, dz);
}

fn note_reach(quad: u32) {}
