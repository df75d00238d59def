// Softmax and cross-entropy of one sample: exact finite change, for four nudges at a time, and
// derivative. Residuals of the forward pass: the probabilities, then the sum of those that are not
// the target's. Twin of src/cpu/losses.ts.

#import special
#import parts

override EPSILON: f32;

// Changes of logits are taken against the target's: its own term is then expm1(0) = 0.
fn loss_reference(of_target: vec4f) -> vec4f {
  return of_target;
}

// One class's term, its logit changing by d against the target's.
fn loss_term(probability: f32, d: vec4f) -> vec4f {
  return probability * expm1(d);
}

// The same where it is tiny: two terms of its series, the rest below d^2 / 6.
fn loss_tiny_term(probability: f32, d: vec4f) -> vec4f {
  return probability * d * fma(d, vec4f(0.5), vec4f(1.0));
}

// The same where it is tiny and d = w da, in two parts that do not change with da: the term is
// da (x + da y), x = p w and y = p w^2 / 2, the rest of the series being below d^2 / 6.
fn tiny_parts(probability: f32, w: vec4f) -> Parts {
  let x = probability * w;
  return Parts(x, 0.5 * x * w);
}

// The term where only logit k moves, by d: all others move by -d against the target when k is it.
fn loss_term_of_one(residual: f32, others: f32, is_target: bool, d: vec4f, tiny: bool) -> vec4f {
  let p = select(residual, others, is_target);
  let change = select(d, -d, is_target);
  if (tiny) {
    return p * change * fma(change, vec4f(0.5), vec4f(1.0));
  }
  return p * expm1(change);
}

// What the change of a sample's loss needs of its target.
struct LossTarget {
  p: f32,
  share: f32, // p / (p + EPSILON)
  curvature: f32, // share / 2 - 1
}

fn loss_target(p: f32) -> LossTarget {
  let share = p / (p + EPSILON);
  return LossTarget(p, share, fma(share, 0.5, -1.0));
}

// Change of -log(p + EPSILON) when 1/p grows by the factor 1 + v, v being the sum of all terms:
// -log1p(y), y = -share v / (1 + v). Where v is tiny its series is share v (1 + curvature v), the
// rest below v^2 / 3.
fn loss_change(v: vec4f, of_target: LossTarget, tiny: bool) -> vec4f {
  if (tiny) {
    return of_target.share * v * fma(vec4f(of_target.curvature), v, vec4f(1.0));
  }
  if (EPSILON == 0.0) {
    return log1p(v);
  }
  // Where v is large, 1 + v is never divided by itself.
  let p = of_target.p;
  let small = v < vec4f(0.5);
  let after = p / (1.0 + v);
  let change = log1p(select((p - after) / (after + EPSILON), -of_target.share * v / (1.0 + v), small));
  return select(change, -change, small);
}

fn loss_derivative(residual: f32, is_target: bool, p: f32) -> f32 {
  return (residual - select(0.0, 1.0, is_target)) * p / (p + EPSILON);
}
