// What a change of its input does to a unit: exactly, whatever the change.

fn effect(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return change(a, c, z, dz);
}

const STRAIGHT = false;

fn meet(gap: vec4f, rate: vec4f) {}

fn note_reach(quad: u32) {}
