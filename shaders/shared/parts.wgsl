// What one class's term of a loss is made of for four units, however far they change.

struct Parts {
  x: vec4f,
  y: vec4f,
}
