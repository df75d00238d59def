// Half the squared distance of the logits from the one-hot target: exact finite change, derivative.
// Residuals of the forward pass: y - t, then 0. Twin of src/cpu/losses.ts.

fn loss_reference(of_target: f32) -> f32 {
  return 0.0;
}

// One class's part of the change, for a logit change d.
fn loss_term(residual: f32, d: f32, tiny: bool) -> f32 {
  return d * fma(d, 0.5, residual);
}

fn loss_term_of_one(residual: f32, others: f32, is_target: bool, d: f32) -> f32 {
  return d * fma(d, 0.5, residual);
}

fn loss_change(sum: f32, residual_of_target: f32, tiny: bool) -> f32 {
  return sum;
}

fn loss_derivative(residual: f32, is_target: bool, residual_of_target: f32) -> f32 {
  return residual;
}
