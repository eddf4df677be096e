// Writes a placed program as C++17 firmware source: <name>.h (C ABI), <name>.cpp (tables and calls), <name>_kernels.h
// (the device code the calls need, nothing else). Never prints a loop: loops live in the kernels. Same program, same
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "ir/program.h"
#include "plan/plan.h"
#include "target/target.h"

namespace fold8::emit {

struct Options {
  std::string name;    // prefix of every symbol and file; name_objection() has none against it
  bool mark = false;   // fold8_mark() is called before the first node and after each, for profiles
  bool trace = false;  // each node's results are handed to fold8_trace(node, data, bytes), which the caller defines
};

struct Emission {
  std::vector<TextFile> files;
  int64_t weight_bytes = 0;  // all constant tables
};

Emission emit(const ir::Program& program, const plan::Plan& plan, const target::Target& target, const Options& options);

}  // namespace fold8::emit
