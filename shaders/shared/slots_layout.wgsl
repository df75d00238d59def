// Slots: what a sample's copies of one unit have in common. Copies whose inputs are equal are one
// evaluation, so that each distinct input of a run is a slot; slot 0 is the input 0, which changes
// nothing. Where inputs are no bytes, every entry of the list is a slot of its own.

#import entries_layout

override SLOTS: u32; // that a run has room for, slot 0 included

// The slots of a run of sample n start here, in what is [batch, runs, SLOTS].
fn slots_of(n: u32, runs: u32, run: u32) -> u32 {
  return (n * runs + run) * SLOTS;
}
