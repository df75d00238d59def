// Kernels that may run for long are dispatched in parts of their grid, so that no watchdog takes one
// for a hang: workgroup `id` of a dispatch is workgroup `origin + id` of the kernel.

@group(1) @binding(0) var<uniform> origin: vec3u;
