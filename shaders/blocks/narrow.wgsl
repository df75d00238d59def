// Inputs that a thread takes: few, where threads are many.

const BLOCK = 32u;
