// Activations whose values are a few, evenly spaced, for four units: an operation says how many they
// are (STATES), the first (LOW), what lies between two (GAP), and which of them z has. Twin of
// src/operations/states.ts.

#import no_series
#import surrogate

// No nudge changes the value by more, however far it moves z.
fn farthest(reach: f32) -> f32 {
  return f32(STATES - 1u) * GAP;
}

fn activate(z: vec4f) -> vec4f {
  return LOW + GAP * vec4f(state_of(z));
}

// From one state to another: whole numbers are subtracted, which is exact.
fn state_change(before: vec4u, behind: vec4u) -> vec4f {
  return GAP * (vec4f(behind) - vec4f(before));
}

fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return state_change(state_of(z), state_of(z + dz));
}
