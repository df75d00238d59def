// Adam. The rate comes with the two bias corrections, 1 / (1 - beta^step), computed in float64.
// Twin of the rule of this name in src/core/optimizers.ts.

#import special
#import step

const HAS_STATE = true;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  let first = fma(BETA1, state.x, REST_OF_BETA1 * g);
  let second = fma(BETA2, state.y, REST_OF_BETA2 * g * g);
  let root = sqrt(second * rate.z) + ROOT_GUARD;
  let change = quotient(vec4f(-rate.x * first * rate.y), vec4f(root)).x;
  return Step(change, vec2f(first, second));
}
