// The changes of the logits change the loss: an item's rows, combined by the stencil, are its
// response. A thread takes an item at a time, four points of the stencil side by side.

#import loss
#import special
#import rows

override ROW_QUADS: u32;
override CLASSES: u32;
override WORKGROUP: u32;

@group(0) @binding(0) var<storage, read> changes: array<f32>; // [CLASSES, 4 ROW_QUADS], of the logits
@group(0) @binding(1) var<storage, read> residuals: array<f32>; // a row a sample, as the loss has it
@group(0) @binding(2) var<storage, read> labels: array<u32>; // [batch]
@group(0) @binding(3) var<storage, read_write> responses: array<f32>; // [batch, slots or states, units of the part]
@group(0) @binding(11) var<uniform> stencil: array<vec4f, 128>; // (offset h, coefficient / (h batch))

@compute @workgroup_size(WORKGROUP)
fn rows_loss(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var item = id.x; item < count_of_items(); item += groups.x * WORKGROUP) {
    if (has_item(item)) {
      respond_to(item);
    }
  }
}

fn respond_to(item: u32) {
  let response = response_of(row_of_item(item));
  var sum = 0.0;
  for (var s = 0u; s < POINTS; s += 4u) {
    sum += change_of_four(item, sample_of(response), s);
  }
  responses[response] = sum;
}

fn change_of_four(item: u32, n: u32, s: u32) -> f32 {
  let points = s + vec4u(0u, 1u, 2u, 3u);
  let rows = row_of_item(item) + min(points, vec4u(POINTS - 1u));
  let row = residual_row(n);
  let of_label = labels[n] * 4u * ROW_QUADS + rows;
  let reference = loss_reference(
    vec4f(changes[of_label.x], changes[of_label.y], changes[of_label.z], changes[of_label.w])
  );
  var total = loss_sum();
  var bad = vec4f(); // a change that is no finite number, which a loss may hide
  for (var k = 0u; k < CLASSES; k++) {
    let at = k * 4u * ROW_QUADS + rows;
    let d = vec4f(changes[at.x], changes[at.y], changes[at.z], changes[at.w]);
    bad = select(d, bad, is_finite(d));
    total = loss_add(total, row, k, d - reference);
  }
  let dL = select(bad, loss_change(total, row), is_finite(bad));
  let coefficients = select(
    vec4f(),
    vec4f(stencil[s].y, stencil[s + 1u].y, stencil[s + 2u].y, stencil[s + 3u].y),
    points < vec4u(POINTS)
  );
  let products = coefficients * dL;
  return (products.x + products.y) + (products.z + products.w);
}
