// The emitted files as a firmware meets them: names, and lines of usage that we print, compiled as C and C++.
#include "emit/emit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "board/process.h"
#include "driver/compiler.h"
#include "emit/c_api.h"
#include "emit/names.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "source_dir.h"

namespace fold8::emit {
namespace {

// --- names

TEST(Names, AreUniqueWhateverTheirCase) {
  Names names;
  EXPECT_EQ(names.unique("k", "x.a"), "k_x_a");
  EXPECT_EQ(names.unique("k", "x-a"), "k_x_a_2");
  EXPECT_EQ(names.unique("k", "X_A"), "k_X_A_3");
  EXPECT_EQ(names.unique("k", "x_a_2"), "k_x_a_2_2");
  EXPECT_EQ(names.unique("input", "x.a"), "input_x_a");
}

TEST(Names, AreNotReserved) {
  EXPECT_EQ(identifier("_w"), "w");
  EXPECT_EQ(identifier("a__b..c_"), "a_b_c");
  EXPECT_EQ(identifier("\xc3\xa9"), "value");
  EXPECT_EQ(identifier("++"), "value");
}

TEST(Names, OfModelsAreSound) {
  for (const char* name : {"net", "NET", "a_b", "x9", "int"}) EXPECT_EQ(name_objection(name), "") << name;
  for (const char* name : {"", "9x", "_x", "a-b", "x_", "a__b", "\xc3\xa9", "string", "StdInt", "arm_acle", "arm_mve"})
    EXPECT_NE(name_objection(name), "") << name;
  EXPECT_EQ(model_name("my-net.v2"), "my_net_v2");
  EXPECT_EQ(model_name("9net"), "model_9net");
  EXPECT_EQ(model_name("_net_"), "net");
  EXPECT_EQ(model_name("string"), "model_string");
  EXPECT_EQ(model_name(""), "value");
}

TEST(Names, CommentsEndWhereTheyShould) {
  EXPECT_EQ(comment_text("a\\b\nc"), "a/b c");
  EXPECT_EQ(comment_text("x */ y /* z"), "x * / y / * z");
}

// --- models

struct Model {
  ir::Program program;
  Emission emission;
};

Model emitted(ir::Program int8, const std::string& name, const std::string& cpu = "cortex-m4") {
  auto compiled = driver::compile(std::move(int8), *target::find_target(cpu));
  if (!compiled) throw std::runtime_error(format(compiled.errors()));
  Emission emission = emit(compiled->program, compiled->plan, compiled->target, {.name = name});
  return {std::move(compiled->program), std::move(emission)};
}

ir::Program parsed(const std::string& text) {
  auto p = ir::parse(text, ops::table());
  if (!p) throw std::runtime_error(format(p.errors()));
  return *p;
}

ir::Program linear(const std::string& buffer = "", const std::string& name = "x") {
  return parsed(
      fmt::format("program form=int8 {{\n  in %{0} : q8[1,4] scale=0x1p-5 zero=-3 {1}\n"
                  "  const %w : q8[3,4] scale=0x1p-7 zero=0 = {{1 2 3 4 5 6 7 8 9 10 11 12}}\n"
                  "  %y = linear %{0}, %w : q8[1,3] scale=0x1p-4 zero=-128 {2}\n  out %y\n}}\n",
                  name, buffer, buffer.empty() ? "" : "buffer=caller"));
}

ir::Program two_ends() {
  return parsed(
      "program form=int8 {\n  in %x.a : q8[1,4] scale=0x1p-5 zero=-3\n  in %X-a : q8[1,4] scale=0x1p-5 zero=-3\n"
      "  const %_k : q8[4,4] scale=0x1p-7 zero=0 = seed(1,-128,127)\n"
      "  const %.k : q8[4,4] scale=0x1p-7 zero=0 = seed(2,-128,127)\n"
      "  %int = linear %x.a, %_k : q8[1,4] scale=0x1p-4 zero=0\n"
      "  %arena = linear %X-a, %.k : q8[1,4] scale=0x1p-4 zero=0\n  out %int, %arena\n}\n");
}

// --- compilers

struct Compiler {
  std::string program;
  std::vector<std::string> arguments;
};

// Of these machines, as C or C++. Those that are not installed are left out.
std::vector<Compiler> compilers(const std::string& language, const std::vector<std::string>& standards) {
  const std::vector<std::string> c = {"gcc", "clang", "clang-14", "arm-none-eabi-gcc"};
  const std::vector<std::string> cpp = {"g++", "clang++", "clang++-14", "arm-none-eabi-g++"};
  std::vector<Compiler> all;
  for (const std::string& program : language == "c" ? c : cpp) {
    if (!board::check_programs({program})) continue;
    for (const std::string& standard : standards) all.push_back({program, {"-x", language, "-std=" + standard}});
  }
  return all;
}

std::vector<Compiler> all_languages() {
  std::vector<Compiler> all = compilers("c", {"c11", "c17"});
  for (const Compiler& compiler : compilers("c++", {"c++17", "c++20"})) all.push_back(compiler);
  return all;
}

// Empty, or what the compiler says.
std::string complaint(const Compiler& compiler, const std::vector<TextFile>& files, const std::string& source) {
  const TempFolder folder = *TempFolder::make();
  std::vector<TextFile> all = files;
  all.push_back({"use.txt", source});
  if (!write_files(folder.path(), all)) return "files cannot be written";
  std::vector<std::string> arguments = {compiler.program};
  arguments.insert(arguments.end(), compiler.arguments.begin(), compiler.arguments.end());
  for (const char* flag : {"-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef",
                           "-Wcast-align", "-Werror", "-fsyntax-only", "use.txt"})
    arguments.push_back(flag);
  const auto finished = board::run_process(arguments, folder.path(), 60);
  if (!finished) return format(finished.errors());
  return finished->exit_code == 0 ? "" : fmt::format("{}\n{}", fmt::join(arguments, " "), finished->output);
}

// Lines of code in the header's first comment.
std::string usage_of(const std::string& header) {
  std::string code;
  std::istringstream lines(header.substr(0, header.find("*/")));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(" *   ")) code += line.substr(5) + "\n";
  return code;
}

// A function of these lines, with the arrays they take for granted.
std::string program_of(const Model& model, const std::string& name, const std::string& usage) {
  std::string arrays, uses;
  for (const End& end : ends(model.program)) {
    if (end.is_input || !in_arena(model.program, end))
      arrays += fmt::format("static {} my_{}[{}_{}_ELEMS];\n", c_type(model.program.type(end.value).elem), end.suffix,
                            upper(name), upper(end.suffix));
    if (!end.is_input && in_arena(model.program, end)) uses += fmt::format("  (void){};\n", end.suffix);
  }
  return fmt::format("#include <string.h>\n#include \"{}.h\"\n{}void use(void);\nvoid use(void) {{\n{}{}}}\n", name,
                     arrays, usage, uses);
}

TEST(Emit, TheHeadersUsageCompiles) {
  driver::ModelOptions options;
  options.ends = passes::Ends::float32;
  auto with_float_ends = driver::load_int8(source_dir() / "examples/digits/digits_mlp.pt2", options);
  ASSERT_TRUE(with_float_ends) << format(with_float_ends.errors());
  for (const ir::Program& program :
       {linear(), two_ends(), linear("buffer=caller"), linear("buffer=consumed"), with_float_ends->program}) {
    const Model model = emitted(program, "net");
    const std::string usage = usage_of(model.emission.files[0].contents);
    EXPECT_NE(usage.find("net_invoke(arena"), std::string::npos) << usage;
    for (const Compiler& compiler : all_languages())
      EXPECT_EQ(complaint(compiler, model.emission.files, program_of(model, "net", usage)), "") << usage;
  }
}

// The first block of C after the heading.
std::string block_of_c(const std::filesystem::path& page) {
  const std::string text = *read_file(page);
  const size_t begin = text.find("```c\n") + 5;
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(Emit, TheUsageInReadmeCompiles) {
  std::string code = block_of_c(source_dir() / "README.md");
  const std::string include = "#include \"net.h\"\n";
  ASSERT_TRUE(code.starts_with(include)) << code;
  code.erase(0, include.size());
  const Model model = emitted(linear(), "net");
  for (const Compiler& compiler : all_languages()) {
    const std::string program = "#include <string.h>\n" + include +
                                "static int8_t x[NET_INPUT_ELEMS];\nint8_t use(void);\n" + "int8_t use(void) {\n" +
                                code + "  return y[0];\n}\n";
    EXPECT_EQ(complaint(compiler, model.emission.files, program), "") << code;
  }
}

TEST(Emit, ArenasMayBeStaticExternOrMembers) {
  const Model model = emitted(linear(), "net");
  for (const Compiler& compiler : all_languages())
    EXPECT_EQ(
        complaint(
            compiler, model.emission.files,
            "#include \"net.h\"\nextern NET_ARENA(one);\nNET_ARENA(one);\nstruct S { int32_t n; NET_ARENA(two); };\n"
            "extern char size[sizeof one == NET_ARENA_BYTES ? 1 : -1];\n"),
        "");
}

TEST(Emit, NamesThatDifferInCaseAloneAreRefusedTogether) {
  std::vector<TextFile> files = emitted(linear(), "net").emission.files;
  for (const TextFile& file : emitted(linear(), "NET").emission.files) files.push_back(file);
  for (const Compiler& compiler : compilers("c", {"c11"}))
    EXPECT_NE(
        complaint(compiler, files, "#include \"net.h\"\n#include \"NET.h\"\n").find("names differ in more than case"),
        std::string::npos);
}

TEST(Emit, NamesFromTheGraphStayInTheirComments) {
  ir::Program program = linear();
  const ir::ValueId odd = program.add_value("x */ #error \\", {});
  program.swap_names(odd, program.inputs[0]);
  program.compact();
  const Model model = emitted(program, "net");
  for (const Compiler& compiler : compilers("c", {"c11"}))
    EXPECT_EQ(complaint(compiler, model.emission.files, "#include \"net.h\"\n"), "");
}

}  // namespace
}  // namespace fold8::emit
