// How lists of a layer's inputs lie in memory: see listing.wgsl.

#import block

const RUN = 1024u; // inputs of a run
const RUN_BLOCKS = RUN / BLOCK;
const RUN_PAIRS = (RUN + RUN_BLOCKS) / 2u; // with room for a zero behind each block
