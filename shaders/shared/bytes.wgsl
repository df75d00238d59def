// What a byte of the data stands for.

fn byte_value(byte: u32) -> f32 {
  return f32(byte) / 255.0;
}
