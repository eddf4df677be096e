// Builds emitted firmware with arm-none-eabi-g++ and runs it on QEMU's board for the target, one image for many models.
// Door: check_tools(), build(), run(). What runs on the board is device/board, embedded into the tool.
// Guarantee: outputs come from the core the target names (its CPUID is checked), from an arena filled with poison and
// fenced by guard bytes; an overwrite, a fault, a stack overflow or a hang is a Diag.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "target/options.h"
#include "target/target.h"

namespace fold8::board {

// Bytes that the caller writes before an invoke, or reads after it, from the arena's start.
struct Slice {
  int64_t offset = 0;
  int64_t bytes = 0;
  bool kept = false;  // an input that invoke leaves as it is
};

// One emitted model. Its header is <name>.h and declares, extern "C",
//   void <name>_invoke(void* arena);   const char* <name>_isa(void);
// where the first has one more pointer for each of the buffers.
// Its code may call  extern "C" void fold8_trace(uint32_t node, const void* data, uint32_t bytes);  and
//   extern "C" void fold8_mark();
struct Model {
  std::string name;  // a C identifier
  int64_t arena_bytes = 0;
  int64_t arena_align = 4;  // a power of two from 4 to 64
  std::vector<Slice> inputs = {}, outputs = {};
  std::vector<Slice> buffers = {};  // of the caller's own, behind the arena, as add_buffer() lays them

  // Room for a buffer behind all there is; its offset.
  int64_t add_buffer(int64_t bytes);
  std::vector<Slice> memories() const;  // the arena, then the buffers
  int64_t memory_bytes() const { return buffers.empty() ? arena_bytes : buffers.back().offset + buffers.back().bytes; }
  // The function that calls invoke with all its pointers, given the arena's: its name, and its source where it is none
  // of the model's own.
  std::string call_name() const { return name + (buffers.empty() ? "_invoke" : "_call"); }
  std::string call_source() const;
  int64_t call_stack_bytes() const;  // of that function, at most
};

// What compiles the emitted code. The runner around it, and the link, are arm-none-eabi-g++'s in any case.
struct Toolchain {
  std::string compiler = {};            // takes a target's flags as GCC does; empty: arm-none-eabi-g++
  std::vector<std::string> flags = {};  // after fold8's own, so that "-Os" wins over its -O2
  bool is_default() const { return compiler.empty() && flags.empty(); }
};

struct Image {
  target::Target target;
  target::Prefer prefer = target::Prefer::speed;
  std::vector<TextFile> files;  // every emitted .h and .cpp; names may have folders
  std::vector<Model> models;
  Toolchain toolchain = {};
  bool one_translation_unit = false;  // compile all .cpp as one: faster for many tiny models
};

struct FunctionSize {
  std::string name;  // "conv_row<Core, 4>"; of a library: "memcpy (library)"
  int64_t bytes = 0;
};

// What the linked image holds of the emitted code, the runner left out.
struct Sizes {
  int64_t table_bytes = 0;              // constants of emitted sources
  int64_t code_bytes = 0;               // instructions, and all that they pull in from the compiler's libraries
  int64_t data_bytes = 0;               // static RAM; the arena is the caller's and not counted
  std::vector<FunctionSize> functions;  // that make up the code, largest first
};

struct Built {
  target::Target target;
  std::vector<Model> models;
  std::filesystem::path folder;      // holds image.elf; run() works there
  std::vector<std::string> sources;  // of the emitted code, as compiled
  Sizes sizes;
};

struct Samples {
  int64_t count = 0;
  std::string bytes;  // back to back; each sample is all input slices in order
};

struct RunOptions {
  bool count_instructions = false;  // QEMU then runs with -icount: slower
  bool count_stretches = false;     // QEMU then logs every block that runs: slower yet
  int64_t time_limit_seconds = 600;
};

struct ModelRun {
  std::string isa;           // what <name>_isa() returned, at most 16 bytes
  std::string outputs;       // samples back to back; each is all output slices in order
  int64_t stack_bytes = 0;   // deepest use over all samples, from the call of invoke
  int64_t instructions = 0;  // of one invoke of sample 0, exact, beyond those of an empty function; 0 unless counted
  std::string trace;         // fold8_trace's records in order: u32 node, u32 bytes, data
};

// What ran between one fold8_mark() and the next.
struct Stretch {
  int64_t instructions = 0;  // exact
  int64_t cycles = 0;        // modelled: docs/cycles.md
};

struct Run {
  uint32_t cpuid = 0;
  std::vector<Stretch> stretches;  // of all models, in order; empty unless counted
  std::vector<ModelRun> models;
};

// Whether the compiler and QEMU are installed; the error says what to install.
Result<> check_tools();
Result<> check_compiler();  // the compiler alone, for build() and stack_bounds()

// Writes, compiles and links the image in `folder` (made if missing), which must outlive the runs.
Result<Built> build(const Image& image, const std::filesystem::path& folder);

// The most stack that an invoke of each model can take, from the default compiler's call graph (stack.h). In bytes.
Result<std::vector<int64_t>> stack_bounds(const Built& built);

// Runs every model on its samples, samples[i] for models[i].
Result<Run> run(const Built& built, const std::vector<Samples>& samples, const RunOptions& options = {});

}  // namespace fold8::board
