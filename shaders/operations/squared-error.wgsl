// Half the squared distance of the logits from the one-hot target: exact finite change, for four
// nudges at a time, and derivative. The forward pass leaves residuals r = y - t, a row a sample; when
// the logits change by d the loss changes by the sum of d (r + d / 2). Twin of src/operations/squared-error.ts.

#import parts

const SMOOTH_LOSS = true;

fn residual_row(n: u32) -> u32 {
  return n * CLASSES;
}

fn loss_reference(of_target: vec4f) -> vec4f {
  return vec4f();
}

struct LossTarget {
  near: f32, // how far logits may move for near_add
}

fn loss_target(row: u32) -> LossTarget {
  return LossTarget(3e38);
}

// One class's term where d = w da, in two parts that do not change with da: it is da (x + da y).
fn tiny_parts(residual: f32, w: vec4f) -> Parts {
  return Parts(residual * w, 0.5 * w * w);
}

fn tiny_loss_change(sum: vec4f, of_target: LossTarget) -> vec4f {
  return sum;
}

fn term(residual: f32, d: vec4f) -> vec4f {
  return d * fma(d, vec4f(0.5), vec4f(residual));
}

struct NearSum {
  v: vec4f,
}

fn near_add(sum: NearSum, residual: f32, d: vec4f) -> NearSum {
  return NearSum(sum.v + term(residual, d));
}

fn near_loss_change(sum: NearSum, of_target: LossTarget) -> vec4f {
  return sum.v;
}

struct LossSum {
  v: vec4f,
}

fn loss_sum() -> LossSum {
  return LossSum();
}

fn loss_add(sum: LossSum, row: u32, k: u32, d: vec4f) -> LossSum {
  return LossSum(sum.v + term(residuals[row + k], d));
}

fn loss_change(sum: LossSum, row: u32) -> vec4f {
  return sum.v;
}

fn loss_change_of_one(row: u32, k: u32, label: u32, d: vec4f, reach: f32) -> vec4f {
  return term(residuals[row + k], d);
}

fn loss_derivative(row: u32, k: u32, label: u32) -> f32 {
  return residuals[row + k];
}
