// Where one layer of units made of straight pieces stands between a convolution's maps and the logits:
// what a unit of a map does to the logits of a sample serves all filters' weights that move it. Logits
// come four side by side, a sample's together.

override BETWEEN: u32; // units of the layer between
override CLASSES: u32;
override PLACES: u32; // for the logits of all samples, four side by side

fn logit_quads() -> u32 { // of a sample
  return (CLASSES + 3u) / 4u;
}
