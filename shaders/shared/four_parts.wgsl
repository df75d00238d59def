// Four classes' terms of a loss whose logits move but a little, side by side: those from CLASSES on are
// left out. The kernel says how many CLASSES there are.

struct FourParts {
  x: mat4x4f,
  y: mat4x4f,
}

fn four_terms(parts: FourParts, first: u32, da: vec4f) -> vec4f {
  var sum = fma(da, parts.y[0], parts.x[0]);
  if (first + 1u < CLASSES) {
    sum += fma(da, parts.y[1], parts.x[1]);
  }
  if (first + 2u < CLASSES) {
    sum += fma(da, parts.y[2], parts.x[2]);
  }
  if (first + 3u < CLASSES) {
    sum += fma(da, parts.y[3], parts.x[3]);
  }
  return sum;
}
