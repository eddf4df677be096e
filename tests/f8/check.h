// What one case asks of the compiler before any code is emitted: text round trips, passes, diagnostics, and what the
// interpreter makes of the int8 form, which is the reference for everything after.
// Door: prepare(), and difference(), the words for two results that are not the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "case.h"
#include "ir/program.h"

namespace fold8::f8 {

using Samples = std::vector<std::vector<ir::Tensor>>;  // [sample][end]

// A case in int8 form with its inputs, and the interpreter's outputs for each.
struct Prepared {
  Case test;
  ir::Program program;
  Samples inputs, outputs;
};

struct Checked {
  std::optional<Prepared> prepared;  // absent after a failure, and for a case that ends in a diagnostic
  std::optional<std::string> failure;
};

Checked prepare(const Case& test);

// Why printing what was parsed does not give `program`'s text again; nullopt if it does.
std::optional<std::string> round_trip(const ir::Program& program);

// Samples of `ends`, which are p.inputs or p.outputs, as `wanted` takes or gives them: another form of the same
// program, whose ends may be float where those of `p` are int8, or in another order of dimensions.
Samples as_ends_of(const ir::Program& wanted, const std::vector<ir::ValueId>& wanted_ends, const Samples& samples,
                   const ir::Program& p, const std::vector<ir::ValueId>& ends);

// "output 1, sample 0, element 5: got 3, expected 4; 2 of 8 differ". Floats are compared by their bits.
std::optional<std::string> difference(const Samples& got, const Samples& want, int steps = 0);

}  // namespace fold8::f8
