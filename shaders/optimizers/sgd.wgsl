// Stochastic gradient descent. Twin of the rule of this name in src/core/optimizers.ts.

#import step

const HAS_STATE = false;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  return Step(-rate.x * g, state);
}
