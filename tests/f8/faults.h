// Faults planted on purpose, one at a time, in the emitted kernels of one ISA or in what the compiler packs for it: the
// cases made for it must notice each. A fault whose text is no longer in the kernels counts as unnoticed.
#pragma once

#include <string>
#include <vector>

#include "check.h"

namespace fold8::f8 {

struct PlantedResult {
  size_t noticed = 0;
  std::vector<std::string> failures;
};

// `cases`: those made for the faults. A missing bias or input offset has to show in the ones of small sums and results, named
// small..., and not only where it dwarfs the sum.
PlantedResult run_planted_faults(const std::vector<Prepared>& cases);

}  // namespace fold8::f8
