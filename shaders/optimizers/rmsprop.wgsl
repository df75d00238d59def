// RMSProp. Twin of the rule of this name in src/core/optimizers.ts.

#import step

const HAS_STATE = true;

fn optimizer_step(g: f32, state: vec2f, rate: vec4f) -> Step {
  let mean = fma(DECAY, state.y, REST_OF_DECAY * g * g);
  return Step(-rate.x * g / (sqrt(mean) + ROOT_GUARD), vec2f(0.0, mean));
}
