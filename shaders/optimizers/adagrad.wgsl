// AdaGrad. Twin of the rule of this name in src/core/optimizers.ts.

#import step

const HAS_STATE = true;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  let sum = fma(g, g, state.y);
  return Step(-rate.x * g / (sqrt(sum) + ROOT_GUARD), vec2f(0.0, sum));
}
