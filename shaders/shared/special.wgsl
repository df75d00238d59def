// Functions that keep small arguments exact; WGSL has neither expm1 nor log1p. They are made of
// additions, multiplications and quotient() below, so that their accuracy is ours and not the
// driver's, and take four numbers at a time. They stay exact where a compiler takes a * b + c for
// fma(a, b, c), adds in another order, divides within 2 units or flushes subnormal numbers. NaN is
// no business of theirs: it is looked for in memory, by its bits (see update.wgsl). Twin of
// src/operations/special.ts. Relative errors are within 5 units of float32's rounding.

// a / b. WGSL's own division may be 2.5 units off: its remainder mends it.
fn quotient(a: vec4f, b: vec4f) -> vec4f {
  let inverse = 1.0 / b;
  let q = a * inverse;
  return fma(fma(-q, b, a), inverse, q);
}

// Whether numbers are neither NaN nor infinite, by their bits: compilers take comparisons for
// granted that only these fail.
fn is_finite(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
}

const LN2_HIGH = 0.693359375; // ln 2 in two parts: the first has 10 bits, so k * LN2_HIGH is exact
const LN2_LOW = -0.00021219444;

// (exp(r) - 1) for |r| <= ln(2) / 2: Taylor's series to r^8, whose rest is below 2^-26 r.
fn expm1_reduced(r: vec4f) -> vec4f {
  var series = fma(r, vec4f(2.4801587e-5), vec4f(1.9841270e-4));
  series = fma(r, series, vec4f(1.3888889e-3));
  series = fma(r, series, vec4f(8.3333333e-3));
  series = fma(r, series, vec4f(0.041666667));
  series = fma(r, series, vec4f(0.16666667));
  series = fma(r, series, vec4f(0.5));
  return r * fma(r, series, vec4f(1.0));
}

// exp(x) and exp(x) - 1, which share all but their last operation.
struct Exponential {
  value: vec4f,
  less_one: vec4f,
}

// Both for x from -87 to 88. With x = k ln 2 + r: 2^k exp(r), and 2^k (exp(r) - 1) + (2^k - 1), where
// k = 0 the series itself. The clamp changes nothing; it keeps a compiler from adding the two parts
// of ln 2 back together, which would cost k roundings.
fn exponential(x: vec4f) -> Exponential {
  let k = round(x * 1.4426950);
  let high = clamp(fma(k, vec4f(-LN2_HIGH), x), vec4f(-1.0), vec4f(1.0));
  let power = bitcast<vec4f>(vec4u(vec4i(k) + 127) << vec4u(23u));
  let series = expm1_reduced(fma(k, vec4f(-LN2_LOW), high));
  let less_one = fma(power, series, power - 1.0);
  return Exponential(fma(power, series, power), select(less_one, series, k == vec4f()));
}

fn bounded(x: vec4f) -> vec4f {
  return clamp(x, vec4f(-87.0), vec4f(88.0));
}

// exp(x) - 1, to full accuracy where it is small. Beyond 88 it stays where it is.
fn expm1(x: vec4f) -> vec4f {
  return exponential(bounded(x)).less_one;
}

// exp(x), to full accuracy where it is small, too: down to x = -87. Below, it is 0; beyond 88 it
// stays where it is.
fn exp_exact(x: vec4f) -> vec4f {
  return select(exponential(bounded(x)).value, vec4f(), x < vec4f(-87.0));
}

// Where no argument is larger than this, series of two terms do: what they leave out is at most
// TINY^2 / 3, a third of float32's rounding.
const TINY = 0.00024414062; // 2^-12

const HALF_ROOT_BITS = 0x3f3504f3u; // sqrt(1/2)

// log(u) for u > 0 that is no subnormal number, given x = u - 1 to full accuracy where u is near 1.
// With u = 2^k (1 + f), f from sqrt(1/2) - 1 to sqrt(2) - 1: k ln 2 + 2 artanh(f / (2 + f)).
fn log_near(u: vec4f, x: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(u) + (0x3f800000u - HALF_ROOT_BITS);
  let m = bitcast<vec4f>((bits & vec4u(0x007fffffu)) + HALF_ROOT_BITS);
  let k = vec4f(vec4i(bits >> vec4u(23u)) - 127);
  let f = select(m - 1.0, x, k == vec4f());
  let t = quotient(f, 2.0 + f);
  let t2 = t * t;
  var series = fma(t2, vec4f(0.11111111), vec4f(0.14285714));
  series = fma(t2, series, vec4f(0.2));
  series = fma(t2, series, vec4f(0.33333333));
  series = fma(t2, series, vec4f(1.0));
  let low = fma(2.0 * t, series, k * LN2_LOW);
  return fma(k, vec4f(LN2_HIGH), low);
}

// log(x) for x > 0 that is no subnormal number.
fn log_exact(x: vec4f) -> vec4f {
  return log_near(x, x - 1.0);
}

// log(1 + x) for x > -1, to full accuracy where it is small, and to a rounding of 1 + x elsewhere.
fn log1p(x: vec4f) -> vec4f {
  return log_near(1.0 + x, x);
}

// Logistic function, without overflow for either sign.
fn sigmoid(z: vec4f) -> vec4f {
  let e = exp_exact(-abs(z));
  return quotient(select(e, vec4f(1.0), z >= vec4f()), 1.0 + e);
}

// sigmoid(z + dz) - sigmoid(z) for |dz| <= 1, of s = sigmoid(z), c = s (1 - s): c e / (1 + s e), e =
// expm1(dz). The denominator is 1/3 or more.
fn logistic_near_change(s: vec4f, c: vec4f, dz: vec4f) -> vec4f {
  let e = expm1(dz);
  return quotient(c * e, fma(s, e, vec4f(1.0)));
}

// The same for any dz, after = z + dz. Beyond 1 it is, for dz > 0, sigmoid(z + dz) sigmoid(-z)
// (1 - exp(-dz)), and for dz < 0 what the mirrored unit, of input -z and nudge -dz, changes by, its
// sign turned: a product of positive factors of which none exceeds 1. sigmoid(-z) is 1 - s, or c / s
// where that would lose its digits.
fn logistic_change(s: vec4f, c: vec4f, after: vec4f, dz: vec4f) -> vec4f {
  let up = dz >= vec4f();
  let e = expm1(-abs(dz));
  let before = select(1.0 - s, s, up); // of the unit, or of its mirror image
  let late = before > vec4f(0.5);
  let g = exp_exact(-abs(after));
  let beyond = (after >= vec4f()) == up;
  let factors = select(g, vec4f(1.0), beyond) * select(1.0 - before, c, late);
  let divisors = (1.0 + g) * select(vec4f(1.0), before, late);
  let far = quotient(select(e, -e, up) * factors, divisors);
  let near = logistic_near_change(s, c, clamp(dz, vec4f(-1.0), vec4f(1.0)));
  return select(near, far, abs(dz) > vec4f(1.0));
}

// max(z + dz, 0) - max(z, 0), by the signs before and after: the difference of the two would
// subtract near-equals.
fn rectified_change(z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let on = after > vec4f();
  return select(select(vec4f(), after, on), select(-z, dz, on), z > vec4f());
}

// log(1 + exp(y)) - max(y, 0)
fn softplus_rest(y: vec4f) -> vec4f {
  return log1p(exp_exact(-abs(y)));
}

// log(1 + exp(y + dy)) - log(1 + exp(y)) for |dy| of 0.4 or more: the change of max(y, 0) and that of
// the rest, neither of which is then the difference of near-equals.
fn softplus_jump(y: vec4f, dy: vec4f) -> vec4f {
  return rectified_change(y, dy) + (softplus_rest(y + dy) - softplus_rest(y));
}

// The same for any dy, s being sigmoid(y): up to |dy| = 1 it is log1p(s expm1(dy)).
fn softplus_change(y: vec4f, s: vec4f, dy: vec4f) -> vec4f {
  let near = log1p(s * expm1(clamp(dy, vec4f(-1.0), vec4f(1.0))));
  return select(softplus_jump(y, dy), near, abs(dy) <= vec4f(1.0));
}
