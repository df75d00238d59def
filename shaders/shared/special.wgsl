// Functions that keep small arguments exact; WGSL has neither expm1 nor log1p. Every one of them is
// made of additions, multiplications and one division, so that its accuracy is ours and not the
// driver's, and takes four numbers at a time. Twin of src/operations/special.ts. Relative errors are within 4 units of float32's rounding.

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

// x = k ln 2 + r with 2^k. The clamp changes nothing; it keeps a compiler from adding the two parts
// of ln 2 back together, which would cost k roundings.
struct Reduced {
  power: vec4f, // 2^k
  r: vec4f,
}
fn reduce(x: vec4f) -> Reduced {
  let bounded = clamp(x, vec4f(-87.0), vec4f(88.0));
  let k = round(bounded * 1.4426950);
  let high = clamp(fma(k, vec4f(-LN2_HIGH), bounded), vec4f(-1.0), vec4f(1.0));
  let power = bitcast<vec4f>(vec4u(vec4i(k) + 127) << vec4u(23u));
  return Reduced(power, fma(k, vec4f(-LN2_LOW), high));
}

// exp(x) - 1 = 2^k (exp(r) - 1) + (2^k - 1).
fn expm1(x: vec4f) -> vec4f {
  let reduced = reduce(x);
  let value = fma(reduced.power, expm1_reduced(reduced.r), reduced.power - 1.0);
  return select(select(value, x, x != x), vec4f(3.4e38), x > vec4f(88.0));
}

// exp(x), to full accuracy where it is small too.
fn exp_exact(x: vec4f) -> vec4f {
  let reduced = reduce(x);
  let value = fma(reduced.power, expm1_reduced(reduced.r), reduced.power);
  return select(select(value, x, x != x), vec4f(3.4e38), x > vec4f(88.0));
}

// Where no argument is larger than this, series of two terms do: what they leave out is at most
// TINY^2 / 3, a third of float32's rounding.
const TINY = 0.00024414062; // 2^-12

// log of 2^k (1 + f), f from sqrt(1/2) - 1 to sqrt(2) - 1, plus a correction: log(1 + f) is
// 2 artanh(f / (2 + f)).
fn log_parts(k: vec4f, f: vec4f, correction: vec4f) -> vec4f {
  let t = f / (2.0 + f);
  let t2 = t * t;
  var series = fma(t2, vec4f(0.11111111), vec4f(0.14285714));
  series = fma(t2, series, vec4f(0.2));
  series = fma(t2, series, vec4f(0.33333333));
  series = fma(t2, series, vec4f(1.0));
  let low = fma(2.0 * t, series, fma(k, vec4f(LN2_LOW), correction));
  return fma(k, vec4f(LN2_HIGH), low);
}

const HALF_ROOT_BITS = 0x3f3504f3u; // sqrt(1/2)

// x = 2^k m with m from sqrt(1/2) to sqrt(2).
struct Scaled {
  k: vec4f,
  m: vec4f,
}
fn scale(x: vec4f) -> Scaled {
  let bits = bitcast<vec4u>(x) + (0x3f800000u - HALF_ROOT_BITS);
  let m = bitcast<vec4f>((bits & vec4u(0x007fffffu)) + HALF_ROOT_BITS);
  return Scaled(vec4f(vec4i(bits >> vec4u(23u)) - 127), m);
}

// log(x) for x > 0 that is no subnormal number.
fn log_exact(x: vec4f) -> vec4f {
  let scaled = scale(x);
  return log_parts(scaled.k, scaled.m - 1.0, vec4f());
}

// log(1 + x) for x > -1. Where 1 + x is near 1, f is x itself; elsewhere what the addition 1 + x
// rounded away is put back, to first order of a rounding error.
fn log1p(x: vec4f) -> vec4f {
  let u = 1.0 + x;
  let scaled = scale(u);
  let lost = select(1.0 - (u - x), x - (u - 1.0), abs(x) < vec4f(1.0));
  let near = scaled.k == vec4f();
  let f = select(scaled.m - 1.0, x, near);
  return log_parts(scaled.k, f, select(lost / u, vec4f(), near));
}

// Logistic function, without overflow for either sign.
fn sigmoid(z: vec4f) -> vec4f {
  let e = exp_exact(-abs(z));
  return select(e, vec4f(1.0), z >= vec4f()) / (1.0 + e);
}
