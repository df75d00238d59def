// Notes the first step whose update made a parameter no finite number, with the first such parameter.
// It is looked for by its bits, loaded from memory in a dispatch behind that update: compilers take
// for granted that what they compute themselves is neither NaN nor infinite.
// And notes the first step that fell short: see list_end.wgsl.

override BAD: u32; // where the notes are: a step, then a parameter; behind them the step that fell short

@group(0) @binding(4) var<storage, read> step: u32;
@group(0) @binding(5) var<storage, read_write> notes: array<atomic<u32>>; // behind the losses

// Whether this step's gradient, or an earlier one's, is not to be used.
fn is_short() -> bool {
  return atomicLoad(&notes[BAD + 2u]) <= step;
}

// `parameter` was loaded before this step's update: step 0 was given it.
fn note(index: u32, parameter: f32) {
  let is_bad = (bitcast<u32>(parameter) & 0x7f800000u) == 0x7f800000u;
  if (is_bad && step > 0u && atomicMin(&notes[BAD], step - 1u) >= step - 1u) {
    atomicMin(&notes[BAD + 1u], index);
  }
}
