// A run of whole copies of the network: copy c, counted from `first`, nudges along direction
// c / POINTS to point c % POINTS of the stencil.

struct Copies {
  first: u32,
}

override POINTS: u32; // of the stencil
