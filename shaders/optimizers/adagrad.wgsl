// AdaGrad. Twin of the rule of this name in src/core/optimizers.ts.

#import special
#import step

const HAS_STATE = true;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  let sum = fma(g, g, state.y);
  let change = quotient(vec4f(-rate.x * g), vec4f(sqrt(sum) + ROOT_GUARD)).x;
  return Step(change, vec2f(0.0, sum));
}
