// build(): writes the image's files, compiles them one by one, links, and reads sizes off the linker's map.
#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <sstream>

#include "board/board.h"
#include "board/image.h"
#include "board/machine.h"
#include "board/process.h"
#include "board/stack.h"
#include "board/timing.h"

namespace fold8::board {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCompiler = "arm-none-eabi-g++";
constexpr const char *kImage = "image.elf", *kMap = "image.map";
constexpr int64_t kCompileSeconds = 600;
constexpr size_t kShownLines = 12;  // of a compiler's complaint

using Arguments = std::vector<std::string>;

// --- the image's own source -----------------------------------------------------------------------------------------

bool is_identifier(const std::string& name) {
  auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto is_tail = [&](char c) { return is_word(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_word(name[0]) && std::all_of(name.begin(), name.end(), is_tail);
}

void require_sound(const Model& model) {
  require(is_identifier(model.name), "a model's name is a C identifier");
  require(model.arena_bytes >= 0 && model.arena_bytes <= INT32_MAX, "an arena's size fits the core's addresses");
  require(model.arena_align >= 4 && model.arena_align <= f8board::kMaxAlign &&
              std::has_single_bit(static_cast<uint64_t>(model.arena_align)),
          "an arena's alignment is a power of two from 4 to 64");
  for (const auto* slices : {&model.inputs, &model.outputs})
    for (const Slice& slice : *slices)
      require(slice.offset >= 0 && slice.bytes >= 0 && slice.bytes <= model.memory_bytes() - slice.offset,
              "inputs and outputs lie in the arena or a buffer");
}

std::string slice_table(const std::string& name, const std::vector<Slice>& slices) {
  std::string rows;
  for (const Slice& slice : slices)
    rows += fmt::format("{{{}, {}, {}}}, ", slice.offset, slice.bytes, slice.kept ? 1 : 0);
  return fmt::format("constexpr f8board::Slice {}[] = {{{}{{0, 0, 0}}}};\n", name, rows);
}

std::string model_row(const Model& model) {
  const std::string& name = model.name;
  return fmt::format(
      "  {{{1}, {0}_isa, {2}, {0}_memories, {3}, {0}_inputs, {4}, {0}_outputs, {5},\n"
      "   \"{0}.in\", \"{0}.out\", \"{0}.trace\", \"{0}.result\"}},\n",
      name, model.call_name(), model.arena_align, 1 + model.buffers.size(), model.inputs.size(), model.outputs.size());
}

// Defines what image.h declares.
std::string image_source(const std::vector<Model>& models) {
  std::string tables, rows;
  int64_t arena_bytes = 0;
  for (const Model& model : models) {
    tables += fmt::format("#include \"{}.h\"\n", model.name);
    arena_bytes = std::max(arena_bytes, model.memory_bytes());
    rows += model_row(model);
  }
  tables += "namespace {\n";
  for (const Model& model : models) {
    tables += slice_table(model.name + "_memories", model.memories()) + slice_table(model.name + "_inputs", model.inputs) +
              slice_table(model.name + "_outputs", model.outputs) + model.call_source();
  }
  return fmt::format(
      "#include \"board/image.h\"\n{}}}  // namespace\nnamespace f8board {{\n"
      "const Model kModels[] = {{\n{}}};\n"
      "const uint32_t kModelCount = {};\n"
      "alignas(2 * kMaxAlign) uint8_t arena_memory[{} + kArenaSlack];\n"
      "}}  // namespace f8board\n",
      tables, rows, models.size(), arena_bytes);
}

bool is_source(const std::string& name) { return name.ends_with(".cpp"); }

Result<> write_sources(const Image& image, const fs::path& folder) {
  std::vector<TextFile> files = image.files;
  for (const char* name : {"image.h", "protocol.h", "runner.cpp", "hooks.cpp", "start.s"})
    files.push_back({fmt::format("board/{}", name), std::string(board_source(name))});
  files.push_back({"board/board.ld", linker_script(machine_for(image.target))});
  files.push_back({"board/image.cpp", image_source(image.models)});
  std::string all;
  for (const TextFile& file : image.files)
    if (is_source(file.name)) all += fmt::format("#include \"{}\"\n", file.name);
  files.push_back({"all_sources.cpp", all});
  std::error_code ec;
  for (const TextFile& file : files) fs::create_directories((folder / file.name).parent_path(), ec);
  if (ec) return error("F8-0002", "folder cannot be made: " + ec.message()).in(folder.string());
  return write_files(folder, files);
}

// --- compiler and linker --------------------------------------------------------------------------------------------

Diag complaint(const char* code, std::string message, const std::string& output) {
  Diag diag = error(code, std::move(message));
  std::istringstream lines(output);
  std::string line;
  while (diag.notes.size() < kShownLines && std::getline(lines, line)) diag.note(line);
  return diag;
}

// Runs a compiler that must leave the file `product` in `folder`, fresh.
Result<> run_compiler(const Arguments& arguments, const fs::path& folder, const std::string& product, const char* code,
                      const std::string& failure) {
  F8_TRY(const Finished finished, run_process(arguments, folder, kCompileSeconds));
  if (finished.timed_out) return error(code, fmt::format("{}: no end after {} s", failure, kCompileSeconds));
  if (finished.exit_code != 0) return complaint(code, failure, finished.output);
  std::error_code ec;
  if (!fs::exists(folder / product, ec)) return idle(arguments[0], "write " + product);
  return ok;
}

void append(Arguments& arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
}

Arguments compiler_with_flags(const std::string& compiler, const Image& image) {
  Arguments arguments = {compiler};
  append(arguments, image.target.flags);
  // Not -ffreestanding: it would turn each memcpy of four bytes into a call.
  append(arguments, {"-std=c++17", image.prefer == target::Prefer::size ? "-Os" : "-O2", "-fno-exceptions",
                     "-fno-rtti", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-threadsafe-statics",
                     "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-I."});
  return arguments;
}

std::string object_of(const std::string& source) { return source + ".o"; }

Result<> compile(const target::Target& target, Arguments compiler, const std::string& source, const fs::path& folder) {
  append(compiler, {"-c", source, "-o", object_of(source)});
  return run_compiler(compiler, folder, object_of(source), "F8-0602", fmt::format("{} does not compile for {}", source, target.cpu));
}

Result<> compile_emitted(const Image& image, const Arguments& sources, const fs::path& folder) {
  const std::string& compiler = image.toolchain.compiler;
  Arguments arguments = compiler_with_flags(compiler.empty() ? kCompiler : compiler, image);
  append(arguments, image.toolchain.flags);
  if (image.toolchain.is_default()) arguments.push_back("-fcallgraph-info=su");
  for (const std::string& source : sources) F8_CHECK(compile(image.target, arguments, source, folder));
  return ok;
}

constexpr const char* kRunner[] = {"board/image.cpp", "board/runner.cpp", "board/hooks.cpp", "board/start.s"};

Result<> compile_runner(const Image& image, const fs::path& folder) {
  Arguments arguments = compiler_with_flags(kCompiler, image);
  arguments.push_back("-fno-tree-loop-distribute-patterns");
  for (const char* source : kRunner) F8_CHECK(compile(image.target, arguments, source, folder));
  return ok;
}

Result<> link(const Image& image, const Arguments& emitted, const fs::path& folder) {
  Arguments arguments = compiler_with_flags(kCompiler, image);
  if (image.toolchain.compiler.empty()) append(arguments, image.toolchain.flags);  // -flto compiles here, too
  for (const std::string& source : emitted) arguments.push_back(object_of(source));
  for (const char* source : kRunner) arguments.push_back(object_of(source));
  append(arguments, {"-nostdlib", "-Wl,--gc-sections", "-Wl,-T,board/board.ld", std::string("-Wl,-Map,") + kMap,
                     "-Wl,--start-group", "-lc", "-lgcc", "-Wl,--end-group", "-o", kImage});
  return run_compiler(arguments, folder, kImage, "F8-0603",
                      fmt::format("the image does not link for {}", image.target.machine));
}

// --- the linker's map -----------------------------------------------------------------------------------------------

// "f8k::v0_1::conv2d_row<f8k::v0_1::Dsp, 1>" -> "conv2d_row<Dsp, 1>"
std::string without_namespaces(std::string name) {
  constexpr std::string_view kNamespace = "f8k::";
  for (size_t at; (at = name.find(kNamespace)) != std::string::npos;) {
    name.erase(at, kNamespace.size());
    const bool has_version = at + 1 < name.size() && name[at] == 'v' && name[at + 1] >= '0' && name[at + 1] <= '9';
    if (has_version) name.erase(at, name.find("::", at) + 2 - at);
  }
  return name;
}

// The name of a function as source has it, without its type, from the linker's.
std::string function_name(const std::string& symbol) {
  int status = 0;
  char* text = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
  if (text == nullptr) return symbol;
  const std::string demangled = text;
  std::free(text);
  size_t begin = 0, end = 0;
  for (int depth = 0; end < demangled.size(); ++end) {
    if (demangled[end] == '<') ++depth;
    if (demangled[end] == '>') --depth;
    if (depth == 0 && demangled[end] == '(') break;
    if (depth == 0 && demangled[end] == ' ') begin = end + 1;
  }
  return without_namespaces(demangled.substr(begin, end - begin));
}

// "libc.a(lib_a-memcpy.o)" -> "memcpy (library)"
std::string library_name(const std::string& object) {
  std::string member = object.substr(object.rfind('(') + 1);
  if (member.starts_with("lib_a-")) member.erase(0, 6);
  return member.substr(0, member.find(".o")) + " (library)";
}

// One kept input section. `object` is as the command line had it, or "archive(member)".
void add_section(Sizes& sizes, const std::string& output_section, const std::string& section, const std::string& object,
                 int64_t bytes) {
  if (object.starts_with("board/")) return;  // the runner
  const bool from_library = object.ends_with(")");
  if (output_section == ".text" || (output_section == ".rodata" && from_library)) {
    constexpr std::string_view kFunction = ".text.";
    sizes.code_bytes += bytes;
    if (bytes > 0)
      sizes.functions.push_back({from_library
                                     ? library_name(object)
                                     : function_name(section.substr(std::min(section.size(), kFunction.size()))),
                                 bytes});
  }
  if (output_section == ".rodata" && !from_library) sizes.table_bytes += bytes;
  if (output_section == ".data" || output_section == ".bss") sizes.data_bytes += bytes;
}

// In the map, after its list of discarded sections, output sections start a line and input sections stand one space in:
// " .text.name  0xaddress  0xbytes  object", broken after a long name.
Result<Sizes> read_map(const fs::path& file) {
  F8_TRY(const std::string map, read_file(file));
  constexpr std::string_view kStart = "Linker script and memory map";
  const size_t start = map.find(kStart);
  if (start == std::string::npos) return idle(kCompiler, "write the linker's map");
  std::istringstream lines(map.substr(start + kStart.size()));
  Sizes sizes;
  std::string output_section, name;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] == '.') output_section = line.substr(0, line.find(' '));
    if (line.starts_with(" .") && line.find(' ', 1) == std::string::npos) {
      name = line;
      continue;
    }
    std::istringstream columns(name + line);
    std::string section, address, bytes, object;
    const bool is_input = (name + line).starts_with(" .");
    name.clear();
    if (!is_input || !(columns >> section >> address >> bytes) || !std::getline(columns >> std::ws, object)) continue;
    if (bytes.starts_with("0x")) add_section(sizes, output_section, section, object, std::stoll(bytes, nullptr, 16));
  }
  std::ranges::stable_sort(sizes.functions, std::ranges::greater(), &FunctionSize::bytes);
  return sizes;
}

}  // namespace

int64_t Model::add_buffer(int64_t bytes) {
  const int64_t free = memory_bytes() + f8board::kGuardBytes;
  buffers.push_back({(free / (2 * f8board::kMaxAlign) + 1) * 2 * f8board::kMaxAlign, bytes});
  return buffers.back().offset;
}

std::vector<Slice> Model::memories() const {
  std::vector<Slice> all = {{0, arena_bytes}};
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

std::string Model::call_source() const {
  if (buffers.empty()) return "";
  std::string pointers;
  for (const Slice& buffer : buffers) pointers += fmt::format(", {}_any{{bytes + {}}}", name, buffer.offset);
  return fmt::format(
      "struct {0}_any {{\n  uint8_t* bytes;\n  template <class T>\n"
      "  operator T*() const {{ return reinterpret_cast<T*>(bytes); }}\n}};\n"
      "void {0}_call(void* arena) {{\n  uint8_t* const bytes = static_cast<uint8_t*>(arena);\n"
      "  {0}_invoke(arena{1});\n}}\n",
      name, pointers);
}

int64_t Model::call_stack_bytes() const {
  constexpr int64_t kPushed = 16, kWord = 4;  // registers, and one word for each pointer
  return buffers.empty() ? 0 : kPushed + static_cast<int64_t>(buffers.size()) * kWord;
}

Result<> check_compiler() { return check_programs({kCompiler, "arm-none-eabi-objdump"}); }

Result<> check_tools() { return check_programs({kCompiler, "qemu-system-arm"}); }

Result<Built> build(const Image& image, const fs::path& folder) {
  for (const Model& model : image.models) require_sound(model);
  F8_CHECK(check_programs({kCompiler}));
  F8_CHECK(write_sources(image, folder));
  Arguments sources;
  if (image.one_translation_unit) sources.push_back("all_sources.cpp");
  for (const TextFile& file : image.files)
    if (!image.one_translation_unit && is_source(file.name)) sources.push_back(file.name);
  F8_CHECK(compile_emitted(image, sources, folder));
  F8_CHECK(compile_runner(image, folder));
  F8_CHECK(link(image, sources, folder));
  F8_TRY(Sizes sizes, read_map(folder / kMap));
  return Built{.target = image.target,
               .models = image.models,
               .folder = folder,
               .sources = sources,
               .sizes = std::move(sizes)};
}

Result<std::vector<int64_t>> stack_bounds(const Built& built) {
  std::vector<std::string> graphs;
  for (const std::string& source : built.sources) {
    F8_TRY(std::string graph, read_file(built.folder / (source + ".ci")));
    graphs.push_back(std::move(graph));
  }
  std::vector<std::string> entries;
  for (const Model& model : built.models) entries.push_back(model.name + "_invoke");
  F8_TRY(const std::vector<Instruction> image,
         disassemble(built.folder / kImage, timing_of(built.target.cpu).machine));
  return deepest_paths(graphs, entries, pushed_bytes(image));
}

}  // namespace fold8::board
