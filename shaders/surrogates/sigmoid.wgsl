// The derivative of what has steps when each is a sigmoid of its height. Twin of src/core/surrogate.ts.

#import special

override SURROGATE_WIDTH: f32 = 1.0;

fn derivative(z: vec4f) -> vec4f {
  var sum = vec4f();
  for (var i = 0u; i < STATES - 1u; i++) {
    let x = quotient(z - threshold(i), vec4f(SURROGATE_WIDTH));
    sum += sigmoid(x) * sigmoid(-x);
  }
  return GAP * quotient(sum, vec4f(SURROGATE_WIDTH));
}
