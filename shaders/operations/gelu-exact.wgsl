// Gaussian error linear unit as it is defined, z Phi(z), for four units. Twin of
// src/operations/gelu-exact.ts.

#import special
#import parts

const FAR = 40.0; // beyond this nothing is left of a tail
const CENTRE = 4.5;
const PEAK = 0.39894228; // 1 / sqrt(2 pi)

// No nudge that moves z by up to `reach` changes the value by more than this.
fn farthest(reach: f32) -> f32 {
  return 1.129 * reach;
}

// Phi(-x) for x >= 0: a polynomial of s, which goes from -1 to 1, times the exponential.
fn tail(x: vec4f) -> vec4f {
  let near = min(x, vec4f(FAR));
  let s = quotient(near - CENTRE, near + CENTRE);
  var series = fma(s, vec4f(-8.25168695e-6), vec4f(7.88959909e-5));
  series = fma(s, series, vec4f(-2.21679253e-6));
  series = fma(s, series, vec4f(-0.000883616948));
  series = fma(s, series, vec4f(0.00175370794));
  series = fma(s, series, vec4f(0.00420667617));
  series = fma(s, series, vec4f(-0.0338727017));
  series = fma(s, series, vec4f(0.111386465));
  series = fma(s, series, vec4f(-0.253141632));
  series = fma(s, series, vec4f(0.446452191));
  series = fma(s, series, vec4f(-0.640257766));
  series = fma(s, series, vec4f(0.763230533));
  return exp_exact(-0.5 * near * near) * quotient(series, near + CENTRE);
}

fn density(x: vec4f) -> vec4f {
  let near = clamp(x, vec4f(-FAR), vec4f(FAR));
  return PEAK * exp_exact(-0.5 * near * near);
}

// Phi(z)
fn normal(z: vec4f) -> vec4f {
  let below = tail(abs(z));
  return select(1.0 - below, below, z < vec4f());
}

const NEAR = 0.5; // as long as d and |m| d are no more, a rise of Phi is the density's integral

// Phi(high) - Phi(low) for d up to NEAR, half way between them being m, and d their distance: d
// density(m) times the mean of exp(-m d u - d^2 u^2 / 2) over u from -1/2 to 1/2, by its moments. What
// they leave out is below 2e-8.
fn near_rise(m: vec4f, d: vec4f) -> vec4f {
  let p = clamp(m * d, vec4f(-NEAR), vec4f(NEAR));
  let P = p * p;
  let q = 0.5 * d * d;
  let second = fma(vec4f(0.5), P, -q);
  let fourth = fma(P, fma(P, vec4f(0.041666667), -0.5 * q), 0.5 * q * q);
  let sixth = fma(
    P,
    fma(P, fma(P, vec4f(1.3888889e-3), -0.041666667 * q), 0.25 * q * q),
    -0.16666667 * q * q * q
  );
  let mean = fma(second, vec4f(0.083333333), fma(fourth, vec4f(0.0125), sixth * 2.2321429e-3));
  let there = density(m);
  return d * fma(there, mean, there);
}

fn activate(z: vec4f) -> vec4f {
  return z * normal(z);
}

fn derivative(z: vec4f) -> vec4f {
  return fma(clamp(z, vec4f(-FAR), vec4f(FAR)), density(z), normal(z));
}

// Upwards, (high - low) Phi(low) + high (Phi(high) - Phi(low)). Far apart, the rise of Phi is a
// difference of tails, or what both leave of 1.
fn change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  let after = z + dz;
  let d = abs(dz);
  let low = min(z, after);
  let high = max(z, after);
  let m = fma(vec4f(0.5), dz, z);
  let below = tail(abs(low));
  let above = tail(abs(high));
  let both = 1.0 - (above + below);
  let far = select(select(both, above - below, high <= vec4f()), below - above, low >= vec4f());
  let is_near = (d <= vec4f(NEAR)) & (abs(m) * d <= vec4f(NEAR));
  let rise = select(far, near_rise(m, min(d, vec4f(NEAR))), is_near);
  let up = fma(d, select(1.0 - below, below, low < vec4f()), high * rise);
  return select(up, -up, dz < vec4f());
}

const NEAR_BY = 3e38; // near_change is exact up to here
fn near_change(a: vec4f, c: vec4f, z: vec4f, dz: vec4f) -> vec4f {
  return change(a, c, z, dz);
}

const TINY_TO = TINY; // tiny_change holds as far as that

// It needs no series where dz is tiny.
fn tiny_unit(a: vec4f, c: vec4f, z: vec4f) -> Parts {
  return Parts(a, z);
}

fn tiny_change(unit: Parts, dz: f32) -> vec4f {
  return change(unit.x, vec4f(), unit.y, vec4f(dz));
}
