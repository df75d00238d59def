// The direction of a copy is one weight: direction d nudges parameter d alone.

fn perturbation(direction: u32, index: u32, reach: f32) -> f32 {
  return select(0.0, reach, index == direction);
}
