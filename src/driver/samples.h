// Arrays from the command line as samples of a program's inputs, and outputs back as arrays.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"

namespace fold8::driver {

struct Samples {
  std::vector<std::vector<ir::Tensor>> inputs;  // [sample][input], of the program's types
  bool stacked = false;                         // arrays had one more leading axis than the inputs
  bool batched = false;                         // ... or the input's own leading axis of 1 was longer
  Diags reports;                                // values that int8 cannot hold
};

// Arrays have the shapes that the model was exported with, whatever --input-layout says.
// `specs`: "x.npy" in the order of the inputs, or "name=x.npy". An array of an input's shape is one sample; one more
// leading axis, or more than one along a leading axis of 1, means many. float32 arrays for int8 inputs are quantized
// under the input's scale and zero point.
Result<Samples> read_samples(const ir::Program& program, const std::vector<std::string>& specs);

// Deterministic int8 noise over the whole range, and each input constant at -128, 127 and its zero point; for float
// inputs, noise in -4..4.
Samples make_samples(const ir::Program& program, int64_t count);

// outputs[sample] -> one array, shaped as the samples were.
ir::Tensor join_outputs(const std::vector<ir::Tensor>& outputs, const Samples& samples);

}  // namespace fold8::driver
