// Programs by seed, in torch form, as exporters leave them: quantize and dequantize around every op, and here and there
// left out around ops that only move data. They are valid by construction, and small.
#pragma once

#include <cstdint>
#include <string>

namespace fold8::models {

// The text of program `seed`: the same on every machine.
std::string random_program(uint64_t seed);

}  // namespace fold8::models
