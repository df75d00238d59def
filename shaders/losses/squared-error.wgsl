// Half the squared distance of the logits from the one-hot target: exact finite change, for four
// nudges at a time, and derivative. Residuals of the forward pass: y - t, then 0. Twin of
// src/cpu/losses.ts.

#import parts

fn loss_reference(of_target: vec4f) -> vec4f {
  return vec4f();
}

// One class's term, its logit changing by d.
fn loss_term(residual: f32, d: vec4f) -> vec4f {
  return d * fma(d, vec4f(0.5), vec4f(residual));
}

fn loss_tiny_term(residual: f32, d: vec4f) -> vec4f {
  return loss_term(residual, d);
}

// The same where d = w da, in two parts that do not change with da: the term is da (x + da y).
fn tiny_parts(residual: f32, w: vec4f) -> Parts {
  return Parts(residual * w, 0.5 * w * w);
}

fn loss_term_of_one(residual: f32, others: f32, is_target: bool, d: vec4f, tiny: bool) -> vec4f {
  return loss_term(residual, d);
}

struct LossTarget {
  residual: f32,
}

fn loss_target(residual: f32) -> LossTarget {
  return LossTarget(residual);
}

fn loss_change(sum: vec4f, of_target: LossTarget, tiny: bool) -> vec4f {
  return sum;
}

fn loss_derivative(residual: f32, is_target: bool, residual_of_target: f32) -> f32 {
  return residual;
}
