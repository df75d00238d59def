// What a matrix product is made of, for every kernel that is one: rows (samples, or rows of changes)
// come four side by side, and so do columns (units). How they are shared out among threads is the
// product's part, which gives multiply(place, local, lane) and how many threads a workgroup has; the
// kernel holds the entry point, and says what is multiplied:
//   columns_at(place, first), four columns from there on;
//   first_input(), behind_inputs() and is_last(), which part of the sums it is;
//   inputs_at(place, i), where input i of a place's first four rows is in `a`;
//   weights_at(i, columns), the four weights of an input;
//   begin(quad, columns), store(quad, columns, sums), and close(quad, columns) for what comes behind,
//   with open(quad) before and end(quad) behind all columns of four rows.

#import outer_sum

// Where a thread, or a workgroup that works as one, begins.
struct Place {
  column: u32,
  copy: u32,
  quad: u32, // of rows
}
