// What an optimiser makes of a gradient element, and the constants of src/core/optimizers.ts.

struct Step {
  change: f32, // of the parameter
  state: vec2f,
}

override MOMENTUM: f32;
override DECAY: f32;
override BETA1: f32;
override BETA2: f32;
override REST_OF_DECAY: f32; // 1 - DECAY, subtracted in float64; likewise below
override REST_OF_BETA1: f32;
override REST_OF_BETA2: f32;
override ROOT_GUARD: f32;
