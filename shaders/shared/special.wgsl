// Functions that keep small arguments exact; WGSL has neither expm1 nor log1p. Every one of them is
// made of additions, multiplications and one division, so that its accuracy is ours and not the
// driver's. Twin of src/cpu/special.ts. Relative errors are within 4 units of float32's rounding.

const LN2_HIGH = 0.693359375; // ln 2 in two parts: the first has 10 bits, so k * LN2_HIGH is exact
const LN2_LOW = -0.00021219444;

// (exp(r) - 1) for |r| <= ln(2) / 2: Taylor's series to r^8, whose rest is below 2^-26 r.
fn expm1_reduced(r: f32) -> f32 {
  return r * fma(r, fma(r, fma(r, fma(r, fma(r, fma(r, fma(r, 2.4801587e-5, 1.9841270e-4),
    1.3888889e-3), 8.3333333e-3), 0.041666667), 0.16666667), 0.5), 1.0);
}

// x = k ln 2 + r with 2^k. The clamp changes nothing; it keeps a compiler from adding the two parts
// of ln 2 back together, which would cost k roundings.
struct Reduced {
  power: f32, // 2^k
  r: f32,
}
fn reduce(x: f32) -> Reduced {
  let bounded = clamp(x, -87.0, 88.0);
  let k = round(bounded * 1.4426950);
  let high = clamp(fma(k, -LN2_HIGH, bounded), -1.0, 1.0);
  return Reduced(bitcast<f32>(u32(i32(k) + 127) << 23u), fma(k, -LN2_LOW, high));
}

// exp(x) - 1 = 2^k (exp(r) - 1) + (2^k - 1).
fn expm1(x: f32) -> f32 {
  let reduced = reduce(x);
  let value = fma(reduced.power, expm1_reduced(reduced.r), reduced.power - 1.0);
  return select(select(value, x, x != x), 3.4e38, x > 88.0);
}

// exp(x), to full accuracy where it is small too.
fn exp_exact(x: f32) -> f32 {
  let reduced = reduce(x);
  let value = fma(reduced.power, expm1_reduced(reduced.r), reduced.power);
  return select(select(value, x, x != x), 3.4e38, x > 88.0);
}

// The same for |x| <= TINY: the rest of the series is below 2^-27 x.
const TINY = 0.0078125;
fn expm1_tiny(x: f32) -> f32 {
  return x * fma(x, fma(x, 0.16666667, 0.5), 1.0);
}

// log(1 + x) for |x| <= 2 TINY, relative rest 2^-26.
fn log1p_tiny(x: f32) -> f32 {
  return x * fma(x, fma(x, fma(x, -0.25, 0.33333333), -0.5), 1.0);
}

// log of 2^k (1 + f), f from sqrt(1/2) - 1 to sqrt(2) - 1, plus a correction: log(1 + f) is
// 2 artanh(f / (2 + f)).
fn log_parts(k: i32, f: f32, correction: f32) -> f32 {
  let t = f / (2.0 + f);
  let t2 = t * t;
  let series = fma(t2, fma(t2, fma(t2, fma(t2, 0.11111111, 0.14285714), 0.2), 0.33333333), 1.0);
  return fma(f32(k), LN2_HIGH, fma(2.0 * t, series, fma(f32(k), LN2_LOW, correction)));
}

const HALF_ROOT_BITS = 0x3f3504f3u; // sqrt(1/2)

// log(x) for x > 0 that is no subnormal number.
fn log_exact(x: f32) -> f32 {
  let bits = bitcast<u32>(x) + (0x3f800000u - HALF_ROOT_BITS);
  let m = bitcast<f32>((bits & 0x007fffffu) + HALF_ROOT_BITS); // from sqrt(1/2) to sqrt(2)
  return log_parts(i32(bits >> 23u) - 127, m - 1.0, 0.0);
}

// log(1 + x) for x > -1. Where 1 + x is near 1, f is x itself; elsewhere what the addition 1 + x
// rounded away is put back, to first order of a rounding error.
fn log1p(x: f32) -> f32 {
  let u = 1.0 + x;
  let bits = bitcast<u32>(u) + (0x3f800000u - HALF_ROOT_BITS);
  let k = i32(bits >> 23u) - 127;
  let m = bitcast<f32>((bits & 0x007fffffu) + HALF_ROOT_BITS);
  let lost = select(1.0 - (u - x), x - (u - 1.0), abs(x) < 1.0);
  return select(log_parts(k, m - 1.0, lost / u), log_parts(0, x, 0.0), k == 0);
}

// Logistic function, without overflow for either sign.
fn sigmoid(z: f32) -> f32 {
  let e = exp_exact(-abs(z));
  return select(e, 1.0, z >= 0.0) / (1.0 + e);
}
