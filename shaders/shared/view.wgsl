// What four of a filter's weights see, all of a channel and a sample; the bias sees 1.

struct View {
  map: vec4u, // where the maps that they see begin
  down: vec4u,
  across: vec4u,
  is_bias: vec4<bool>,
}

fn view_of(n: u32, channel: u32, weights: vec4u) -> View {
  let cells = window.kernel.x * window.kernel.y;
  let of_group = min(weights / cells, vec4u(window.taken - 1u));
  let map = channel / window.given * window.taken + of_group;
  return View(
    n * (inputs_of_window() + 1u) + map * window.input.x * window.input.y,
    weights % cells / window.kernel.y * window.dilation.x,
    weights % window.kernel.y * window.dilation.y,
    weights == vec4u(weights_of_filter())
  );
}

// From the place where the window of a unit begins.
fn seen_from(view: View, corner: vec2u) -> vec4f {
  let rows = corner.x + view.down;
  let columns = corner.y + view.across;
  let within = (rows < vec4u(window.input.x)) & (columns < vec4u(window.input.y));
  let at = view.map + select(vec4u(), rows * window.input.y + columns, within);
  let here = select(vec4f(), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), within);
  return select(here, vec4f(1.0), view.is_bias);
}
