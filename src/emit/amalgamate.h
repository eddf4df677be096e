// Joins device headers into one file: each once, after what it includes, between guards of its own.
#pragma once

#include <string>
#include <vector>

namespace fold8::emit {

// `roots`: names as #include spells them ("isa/dsp/isa.h", "ops/linear/linear.kernel.h").
std::string amalgamate(const std::vector<std::string>& roots);

}  // namespace fold8::emit
