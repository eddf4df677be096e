// What one inference costs on a core: instructions counted under QEMU and cycles modelled (docs/cycles.md), in total
// and node by node.
#pragma once

#include <string>
#include <vector>

#include "board/board.h"
#include "driver/compiler.h"

namespace fold8::driver {

struct NodeCost {
  std::string node;  // its name
  std::string op;
  std::string kernel;  // the device functions that it calls
  std::string why;     // not a better one: which proof failed
  std::string shapes;  // "[1,25,5,64] -> [1,25,5,64]"
  int64_t macs = 0;
  int64_t instructions = 0;
  int64_t cycles = 0;
};

struct Cost {
  int64_t instructions = 0;  // of one invoke, exact
  int64_t cycles = 0;        // of all nodes
  int64_t macs = 0;
  int64_t weight_bytes = 0;
  int64_t code_bytes = 0;
  int64_t arena_bytes = 0;
  int64_t stack_bytes = 0;  // proven bound; of another toolchain than the default: measured
  std::vector<NodeCost> nodes;
  std::vector<board::FunctionSize> functions;  // that make up the code, largest first
};

// One inference of a sample made by seed. Needs the cross compiler and QEMU.
Result<Cost> bench(const ir::Program& int8, const target::Target& target,
                   const target::CompileOptions& options = {}, const board::Toolchain& toolchain = {});

}  // namespace fold8::driver
