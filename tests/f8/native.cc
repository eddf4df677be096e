#include "native.h"

#include <fmt/format.h>

#include <cstring>

#include "board/process.h"

namespace fold8::f8 {
namespace {

constexpr size_t kIsaBytes = 16;  // of native.out before each model's outputs
constexpr int64_t kLimitSeconds = 600;

// After the sources and the table kModels. native.txt: for each model its samples, alignment, memories (the arena and
// buffers), inputs and outputs (each a count, then offset and bytes); native.in: the samples of all models.
constexpr const char* kMain = R"(
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

struct Slice { long offset, bytes; };

static long number(FILE* file) {
  long value = 0;
  if (fscanf(file, "%ld", &value) != 1) abort();
  return value;
}
static std::vector<Slice> slices(FILE* file) {
  std::vector<Slice> list(size_t(number(file)));
  for (Slice& slice : list) { slice.offset = number(file); slice.bytes = number(file); }
  return list;
}

int main() {
  FILE* layout = fopen("native.txt", "r");
  FILE* in = fopen("native.in", "rb");
  FILE* out = fopen("native.out", "wb");
  for (const Model& model : kModels) {
    const long samples = number(layout), align = number(layout);
    const std::vector<Slice> memories = slices(layout), inputs = slices(layout), outputs = slices(layout);
    const long bytes = memories.back().offset + memories.back().bytes;
    char isa[16] = {};
    strncpy(isa, model.isa(), sizeof isa - 1);
    fwrite(isa, 1, sizeof isa, out);
    for (long s = 0; s < samples; ++s) {
      void* memory = nullptr;
      if (posix_memalign(&memory, align < 8 ? 8 : size_t(align), size_t(bytes)) != 0) abort();
      memset(memory, 0xA5, size_t(bytes));
      char* arena = static_cast<char*>(memory);
      for (size_t m = 1; m < memories.size(); ++m) {
        char* const end = arena + memories[m - 1].offset + memories[m - 1].bytes;
        __asan_poison_memory_region(end, size_t(arena + memories[m].offset - end));
      }
      for (const Slice& slice : inputs)
        if (fread(arena + slice.offset, 1, size_t(slice.bytes), in) != size_t(slice.bytes)) abort();
      model.invoke(arena);
      for (const Slice& slice : outputs) fwrite(arena + slice.offset, 1, size_t(slice.bytes), out);
      __asan_unpoison_memory_region(memory, size_t(bytes));
      free(memory);
    }
  }
  return fclose(out);
}
)";

std::string slices_text(const std::vector<board::Slice>& slices) {
  std::string text = fmt::format(" {}", slices.size());
  for (const board::Slice& slice : slices) text += fmt::format(" {} {}", slice.offset, slice.bytes);
  return text;
}

std::vector<TextFile> program_files(const std::vector<TextFile>& files, const std::vector<board::Model>& models,
                                    const std::vector<board::Samples>& samples) {
  std::vector<TextFile> all = files;
  std::string source =
      "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sanitizer/asan_interface.h>\n#include "
      "<vector>\n";
  std::string rows, layout, bytes;
  for (const TextFile& file : files)
    if (file.name.ends_with(".cpp")) source += fmt::format("#include \"{}\"\n", file.name);
  for (size_t i = 0; i < models.size(); ++i) {
    const board::Model& model = models[i];
    source += model.call_source();
    rows += fmt::format("  {{{}, {}_isa}},\n", model.call_name(), model.name);
    layout += fmt::format("{} {}{}{}{}\n", samples[i].count, model.arena_align, slices_text(model.memories()),
                          slices_text(model.inputs), slices_text(model.outputs));
    bytes += samples[i].bytes;
  }
  source += fmt::format(
      "struct Model {{ void (*invoke)(void*); const char* (*isa)(); }};\nstatic const Model kModels[] = {{\n{}}};\n{}",
      rows, kMain);
  all.push_back({"native.cpp", std::move(source)});
  all.push_back({"native.txt", std::move(layout)});
  all.push_back({"native.in", std::move(bytes)});
  return all;
}

Result<> succeed(const std::vector<std::string>& command, const std::filesystem::path& folder) {
  F8_TRY(const board::Finished finished, board::run_process(command, folder, kLimitSeconds));
  if (finished.timed_out || finished.exit_code != 0)
    return error("F8-0608", fmt::format("{} failed", command[0])).note(finished.output.substr(0, 2000));
  return ok;
}

}  // namespace

Result<board::Run> run_native(const std::vector<TextFile>& files, const std::vector<board::Model>& models,
                              const std::vector<board::Samples>& samples, const std::filesystem::path& folder) {
  F8_CHECK(write_files(folder, program_files(files, models, samples)));
  F8_CHECK(succeed({FOLD8_HOST_COMPILER, "-std=c++17", "-O1", "-g1", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", "-o", "native", "native.cpp"},
                   folder));
  F8_CHECK(succeed({(folder / "native").string()}, folder));
  F8_TRY(const std::string out, read_file(folder / "native.out"));
  board::Run run;
  std::string_view rest = out;
  for (size_t i = 0; i < models.size(); ++i) {
    size_t bytes = 0;
    for (const board::Slice& slice : models[i].outputs) bytes += static_cast<size_t>(slice.bytes * samples[i].count);
    require(rest.size() >= kIsaBytes + bytes, "the native program writes every output");
    board::ModelRun one;
    one.isa = std::string(rest.data(), strnlen(rest.data(), kIsaBytes));
    one.outputs = rest.substr(kIsaBytes, bytes);
    rest.remove_prefix(kIsaBytes + bytes);
    run.models.push_back(std::move(one));
  }
  return run;
}

}  // namespace fold8::f8
