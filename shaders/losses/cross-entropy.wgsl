// Softmax and cross-entropy of one sample: exact finite change, derivative. Residuals of the forward
// pass: the probabilities, then the sum of those that are not the target's. Twin of src/cpu/losses.ts.

#import special

override EPSILON: f32;

// Changes of logits are taken against the target's: its own term is then expm1(0) = 0.
fn loss_reference(of_target: f32) -> f32 {
  return of_target;
}

// One class's part of the change, for a relative logit change d.
fn loss_term(probability: f32, d: f32, tiny: bool) -> f32 {
  if (tiny) {
    return probability * expm1_tiny(d);
  }
  return probability * expm1(d);
}

// The part where only logit k moves, by d: all others move by -d against the target when k is it.
fn loss_term_of_one(residual: f32, others: f32, is_target: bool, d: f32) -> f32 {
  return select(residual, others, is_target) * expm1(select(d, -d, is_target));
}

// Change of -log(p + EPSILON) when 1/p grows by the factor 1 + v, v being the sum of all parts.
fn loss_change(v: f32, p: f32, tiny: bool) -> f32 {
  if (EPSILON == 0.0) {
    if (tiny) {
      return log1p_tiny(v);
    }
    return log1p(v);
  }
  let y = -p * v / ((1.0 + v) * (p + EPSILON));
  if (tiny) {
    return -log1p_tiny(y);
  }
  if (v < 0.5) {
    return -log1p(y);
  }
  return log1p((p - p / (1.0 + v)) / (p / (1.0 + v) + EPSILON));
}

fn loss_derivative(residual: f32, is_target: bool, p: f32) -> f32 {
  return (residual - select(0.0, 1.0, is_target)) * p / (p + EPSILON);
}
