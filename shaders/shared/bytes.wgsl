// byte / 255, rounded as float32 has it, without a division, which may be off: 1/255 in two parts, of
// which the first times a byte is exact.
const HIGH = 0.0039215087890625; // 257 / 65536
const LOW = 5.983839e-8; // 1 / (255 65536)
fn share_of(bytes: vec4u) -> vec4f {
  let b = vec4f(bytes);
  return fma(b, vec4f(LOW), b * HIGH);
}
