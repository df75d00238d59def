// Stochastic gradient descent. Twin of the rule of this name in src/core/optimizers.ts.

#import step

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  return Step(-rate.x * g, state);
}
