// Softmax and cross-entropy of one sample: exact finite change, for four nudges at a time, and
// derivative. Twin of src/operations/cross-entropy.ts.
//
// With D_k the change of logit k against the target's, p_t becomes p_t exp(-l), where exp(l) is
// sum of p_k exp(D_k), 1 + v, v = sum of p_k expm1(D_k). The loss -log(p_t + epsilon) then changes
// by -softplus_change(y, -l), y = log p_t - log epsilon, which is
// log1p(share v / (1 + rest v)), share = p_t / (p_t + epsilon), rest = epsilon / (p_t + epsilon).
// Where v is small, this keeps every digit; where v is near -1, l is the logarithm of the positive
// sum; where terms overflow or probabilities are below what float32 holds, of logarithms, the largest
// term taken out.
//
// The forward pass leaves a row of residuals a sample: the probabilities, the sum of those that are
// not the target's, share and rest; then the probabilities' logarithms, that of the sum, y, and the
// logarithm of the sum of all probabilities but the largest; and how far logits may move against one
// another for near_add.

#import special
#import parts

const SMOOTH_LOSS = true;

fn residual_row(n: u32) -> u32 {
  return n * (2u * CLASSES + 7u);
}

// Where the logarithms start in a row.
fn logarithms(row: u32) -> u32 {
  return row + CLASSES + 3u;
}

// Changes of logits are taken against the target's: its own term is then expm1(0) = 0.
fn loss_reference(of_target: vec4f) -> vec4f {
  return of_target;
}

// What the change of a sample's loss needs of its target.
struct LossTarget {
  share: f32,
  rest: f32,
  curvature: f32, // share / 2 - 1
  near: f32,
}

fn loss_target(row: u32) -> LossTarget {
  let share = residuals[row + CLASSES + 1u];
  return LossTarget(
    share,
    residuals[row + CLASSES + 2u],
    fma(share, 0.5, -1.0),
    residuals[row + 2u * CLASSES + 6u]
  );
}

// One class's term of v where it is tiny and D = w da, in two parts that do not change with da: the
// term is da (x + da y), x = p w and y = p w^2 / 2, the rest of the series being below D^2 / 6.
fn tiny_parts(probability: f32, w: vec4f) -> Parts {
  let x = probability * w;
  return Parts(x, 0.5 * x * w);
}

// The change where v is tiny: its series is share v (1 + curvature v), the rest below v^2 / 3.
fn tiny_loss_change(v: vec4f, of_target: LossTarget) -> vec4f {
  return of_target.share * v * fma(vec4f(of_target.curvature), v, vec4f(1.0));
}

// Sums over classes where no |D| exceeds the target's `near`.
struct NearSum {
  v: vec4f,
  all: vec4f, // 1 + v, as the sum of positive terms
}

fn near_add(sum: NearSum, probability: f32, d: vec4f) -> NearSum {
  let e = exponential(d);
  return NearSum(
    fma(vec4f(probability), e.less_one, sum.v),
    fma(vec4f(probability), e.value, sum.all)
  );
}

fn near_loss_change(sum: NearSum, of_target: LossTarget) -> vec4f {
  let share = of_target.share;
  let rest = vec4f(of_target.rest);
  let late = sum.v < vec4f(-0.5);
  let divisor = select(fma(rest, sum.v, vec4f(1.0)), fma(rest, sum.all, vec4f(share)), late);
  let x = quotient(share * sum.v, divisor);
  return log_near(select(1.0 + x, quotient(sum.all, divisor), x < vec4f(-0.5)), x);
}

// Sums over classes for any D.
struct LossSum {
  v: vec4f,
  largest: vec4f, // of log p_k + D_k
  all: vec4f, // (1 + v) / exp(largest)
}

fn loss_sum() -> LossSum {
  return LossSum(vec4f(), vec4f(-3e38), vec4f());
}

fn loss_add(sum: LossSum, row: u32, k: u32, d: vec4f) -> LossSum {
  let x = residuals[logarithms(row) + k] + d;
  let p = residuals[row + k];
  // Then exp(d) overflows, or p is too small for float32, and p expm1(d) need not be.
  let huge = d > vec4f(select(60.0, 1.0, p < 1e-37));
  let e = exponential(bounded(select(d, x, huge)));
  let grown = select(e.value, vec4f(), x < vec4f(-87.0)) - p;
  let distance = exp_exact(-abs(x - sum.largest));
  let larger = x > sum.largest;
  return LossSum(
    sum.v + select(p * e.less_one, grown, huge),
    select(sum.largest, x, larger),
    select(sum.all + distance, fma(sum.all, distance, vec4f(1.0)), larger)
  );
}

fn loss_change(sum: LossSum, row: u32) -> vec4f {
  let of_target = loss_target(row);
  let near = abs(sum.v) <= vec4f(0.5);
  let x = quotient(of_target.share * sum.v, fma(vec4f(of_target.rest), sum.v, vec4f(1.0)));
  let logarithm = log_near(select(sum.all, 1.0 + x, near), select(sum.all - 1.0, x, near));
  let y = vec4f(residuals[logarithms(row) + CLASSES + 1u]);
  return select(-softplus_jump(y, -(sum.largest + logarithm)), logarithm, near);
}

// The change where only logit k moves, by d, |d| being `reach` at most. All others move by -d against
// the target when k is it: a class of its own, then, and l is softplus_change of its log odds.
fn loss_change_of_one(row: u32, k: u32, label: u32, d: vec4f, reach: f32) -> vec4f {
  let is_target = k == label;
  let class_id = select(k, CLASSES, is_target);
  let p = residuals[row + class_id];
  let of_target = loss_target(row);
  let change = select(d, -d, is_target);
  if (reach <= TINY) {
    return tiny_loss_change(p * change * fma(change, vec4f(0.5), vec4f(1.0)), of_target);
  }
  if (reach <= 1.0) { // v is -0.63 or more
    let v = p * expm1(change);
    return near_loss_change(NearSum(v, 1.0 + v), of_target);
  }
  let logs = logarithms(row);
  var others = log1p(vec4f(-p)).x; // the logarithm of 1 - p
  if (is_target) {
    others = residuals[logs + label];
  } else if (p > 0.5) {
    others = residuals[logs + CLASSES + 2u];
  }
  let l = softplus_change(vec4f(residuals[logs + class_id] - others), vec4f(p), change);
  return -softplus_change(vec4f(residuals[logs + CLASSES + 1u]), vec4f(of_target.share), -l);
}

// (p_k - 1) share for the target, 1 - p_t being the sum of the others.
fn loss_derivative(row: u32, k: u32, label: u32) -> f32 {
  let share = residuals[row + CLASSES + 1u];
  return share * select(residuals[row + k], -residuals[row + CLASSES], k == label);
}
