// Two numbers for each of four units, which a nudge's tiny change is made of, however far it goes.

struct Parts {
  x: vec4f,
  y: vec4f,
}
