// Whether the answer is wrong: 1 where another class than the target has the largest logit, of equals
// the first. The forward pass leaves, a row a sample, how far each logit is above the target's; how
// many beat it; the largest of them before it and behind it; and the target. Twin of
// src/operations/zero-one.ts.

#import parts

const SMOOTH_LOSS = false; // it has no series

fn residual_row(n: u32) -> u32 {
  return n * (CLASSES + 4u);
}

// Changes of logits count against that of the target's.
fn loss_reference(of_target: vec4f) -> vec4f {
  return of_target;
}

struct LossTarget {
  near: f32, // how far logits may move for near_add: it knows no class, and is not taken
}

fn loss_target(row: u32) -> LossTarget {
  return LossTarget(-1.0);
}

fn tiny_parts(residual: f32, w: vec4f) -> Parts {
  return Parts();
}

fn tiny_loss_change(sum: vec4f, of_target: LossTarget) -> vec4f {
  return vec4f();
}

struct NearSum {
  v: vec4f,
}

fn near_add(sum: NearSum, residual: f32, d: vec4f) -> NearSum {
  return sum;
}

fn near_loss_change(sum: NearSum, of_target: LossTarget) -> vec4f {
  return vec4f();
}

// Where a class that is so far above the target has the better of it.
fn beats(margin: vec4f, is_before: bool) -> vec4<bool> {
  return (margin > vec4f()) | ((margin == vec4f()) & vec4<bool>(is_before));
}

struct LossSum {
  v: vec4f, // 1 where any class has
}

fn loss_sum() -> LossSum {
  return LossSum();
}

fn loss_add(sum: LossSum, row: u32, k: u32, d: vec4f) -> LossSum {
  let is_before = f32(k) < residuals[row + CLASSES + 3u];
  return LossSum(select(sum.v, vec4f(1.0), beats(residuals[row + k] + d, is_before)));
}

fn loss_change(sum: LossSum, row: u32) -> vec4f {
  return sum.v - min(residuals[row + CLASSES], 1.0);
}

fn loss_change_of_one(row: u32, k: u32, label: u32, d: vec4f, reach: f32) -> vec4f {
  let count = residuals[row + CLASSES];
  let is_before = k < label;
  let margin = vec4f(residuals[row + k]);
  let others = count - select(0.0, 1.0, beats(margin, is_before).x);
  let of_other = beats(margin + d, is_before) | vec4<bool>(others > 0.0);
  let before = residuals[row + CLASSES + 1u] - d >= vec4f();
  let of_target = before | (residuals[row + CLASSES + 2u] - d > vec4f());
  let wrong = select(of_other, of_target, vec4<bool>(k == label));
  return select(vec4f(), vec4f(1.0), wrong) - min(count, 1.0);
}

fn loss_derivative(row: u32, k: u32, label: u32) -> f32 {
  return 0.0;
}
