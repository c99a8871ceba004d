// The Metal shading language for this machine's CPU.
#include "kernel.hh"
#include <metal_stdlib>
