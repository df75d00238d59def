// The inputs of a layer that are not zero, two at a time, as listing.wgsl lists them.

#import block

@group(0) @binding(8) var<storage, read> entries: array<vec4u>; // [batch, blocks, BLOCK / 2]: input, value, input, value
@group(0) @binding(9) var<storage, read> pairs: array<u32>; // [batch, blocks]
