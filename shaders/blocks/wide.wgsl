// Inputs that a thread takes: many, where threads are few and loads are dear.

const BLOCK = 64u;
