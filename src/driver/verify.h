// The proof: the emitted source, built by arm-none-eabi-g++ and run on QEMU's board, gives the interpreter's integers.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "board/board.h"
#include "driver/compiler.h"
#include "driver/samples.h"

namespace fold8::driver {

struct Verdict {
  int64_t samples = 0;
  int64_t compared_bytes = 0;
  int64_t differing_bytes = 0;
  std::string difference;  // the first node that differs, when some byte does
  std::string isa;         // of the kernels that ran, as the image itself says
  uint32_t cpuid = 0;
  board::Sizes sizes;
  int64_t stack_bytes = 0;             // measured; with the runner's own frame where invoke takes buffers
  std::optional<int64_t> stack_bound;  // proven from the call graph, which only the default toolchain gives
  int64_t arena_bytes = 0;
};

struct VerifyOptions {
  std::string name = "model";
  target::CompileOptions compile = {};
  board::Toolchain toolchain = {};
  // Tests plant faults here: changes the emitted files before they are built.
  std::function<void(std::vector<TextFile>&)> tamper = {};
};

// `int8`: the program in int8 form, whose interpretation is the reference.
Result<Verdict> verify(const ir::Program& int8, const target::Target& target, const Samples& samples,
                       const VerifyOptions& options);

// The emitted model as board/ wants it, and samples as its bytes.
board::Model board_model(const Compiled& compiled, const std::string& name);
std::string sample_bytes(const std::vector<ir::Tensor>& tensors);

}  // namespace fold8::driver
