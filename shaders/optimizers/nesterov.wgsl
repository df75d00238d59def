// Nesterov's momentum. Twin of the rule of this name in src/core/optimizers.ts.

#import step

const HAS_STATE = true;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  let velocity = fma(MOMENTUM, state.x, -rate.x * g);
  return Step(fma(MOMENTUM, velocity, -rate.x * g), vec2f(velocity, 0.0));
}
