// Hand-written "models" on every board: what comes back, and what is caught.
#include "board/board.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace fold8::board {
namespace {

// A model whose invoke has this body; `a` is the arena as int8_t*. Arena: 8 bytes in, 8 bytes out, 8 more.
TextFile header(const std::string& name) {
  return {name + ".h",
          fmt::format("#pragma once\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"
                      "extern \"C\" void {0}_invoke(void* arena);\nextern \"C\" const char* {0}_isa(void);\n"
                      "extern \"C\" void fold8_trace(uint32_t node, const void* data, uint32_t bytes);\n",
                      name)};
}
TextFile source(const std::string& name, const std::string& body, const std::string& globals = "") {
  return {name + ".cpp", fmt::format("#include \"{0}.h\"\nnamespace {{ {2} }}\n"
                                     "const char* {0}_isa() {{ return \"isa-{0}\"; }}\n"
                                     "void {0}_invoke(void* arena) {{\n"
                                     "  int8_t* a = static_cast<int8_t*>(arena);\n  (void)a;\n{1}\n}}\n",
                                     name, body, globals)};
}
Model model(const std::string& name) {
  return {.name = name, .arena_bytes = 24, .arena_align = 4, .inputs = {{0, 4}, {4, 4}}, .outputs = {{8, 8}}};
}

const std::string kAddOne = "  for (int i = 0; i < 8; ++i) a[8 + i] = static_cast<int8_t>(a[i] + 1);";
// Two instructions a round; the first four bytes of the input are the number of rounds.
const std::string kLoop =
    "  uint32_t n = *static_cast<uint32_t*>(arena); a[8] = a[4];\n"
    "  asm volatile(\".syntax unified\\n1: subs %0, #1\\n bne 1b\" : \"+l\"(n) :: \"cc\");";

target::Target find(const std::string& cpu) { return *target::find_target(cpu); }

Image image_of(const std::string& cpu, const std::string& body, const std::string& globals = "") {
  return {.target = find(cpu), .files = {header("m"), source("m", body, globals)}, .models = {model("m")}};
}

const Samples kOne = {1, "abcdefgh"};

Result<Run> build_and_run(const Image& image, const RunOptions& options = {}) {
  const TempFolder folder = *TempFolder::make();
  F8_TRY(const Built built, build(image, folder.path()));
  return run(built, std::vector<Samples>(image.models.size(), kOne), options);
}

testing::AssertionResult passed(const auto& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << format(result.errors());
}

// Expects one error with this code whose text holds `text`.
void expect_error(const auto& result, const std::string& code, const std::string& text) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.errors()[0].code, code);
  EXPECT_NE(format(result.errors()).find(text), std::string::npos) << format(result.errors());
}

class BoardTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto tools = check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  }
};

class EachCore : public BoardTest, public testing::WithParamInterface<std::string> {};

std::vector<std::string> all_cpus() {
  std::vector<std::string> names;
  for (const target::Target& row : target::all_targets()) names.push_back(row.cpu);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Board, EachCore, testing::ValuesIn(all_cpus()), [](const auto& test) {
  std::string name = test.param;
  std::erase(name, '-');
  return name;
});

TEST_P(EachCore, TwoModelsManySamples) {
  Image image{.target = find(GetParam()),
              .files = {header("m"), source("m", kAddOne), header("twice"),
                        source("twice", "  for (int i = 0; i < 8; ++i) a[8 + i] = static_cast<int8_t>(a[i] * count++);",
                               "int8_t count = 2;")},
              .models = {model("m"), model("twice")}};
  for (const bool one_unit : {false, true}) {
    image.one_translation_unit = one_unit;
    const TempFolder folder = *TempFolder::make();
    const auto built = build(image, folder.path());
    ASSERT_TRUE(passed(built));
    for (const std::string& bytes : {std::string("abcdefghABCDEFGH"), std::string("ABCDEFGHabcdefgh")}) {
      const auto ran = run(*built, {{2, bytes}, {1, "\1\1\1\1\1\1\1\1"}});
      ASSERT_TRUE(passed(ran));
      EXPECT_EQ(ran->cpuid >> 24, 0x41u);  // Arm
      EXPECT_EQ(ran->models[0].outputs, bytes == "abcdefghABCDEFGH" ? "bcdefghiBCDEFGHI" : "BCDEFGHIbcdefghi");
      EXPECT_EQ(ran->models[0].isa, "isa-m");
      EXPECT_EQ(ran->models[1].outputs, "\2\3\4\5\6\7\10\11");  // needs .data
      EXPECT_EQ(ran->models[1].isa, "isa-twice");
      EXPECT_EQ(ran->models[0].instructions, 0);
      EXPECT_EQ(ran->models[0].trace, "");
    }
  }
}

TEST_P(EachCore, ArenaIsPoisonedAndAlignedNoMoreThanAsked) {
  const auto ran = build_and_run(
      image_of(GetParam(),
               "  a[8] = a[16]; a[9] = a[10]; a[10] = static_cast<int8_t>(reinterpret_cast<uintptr_t>(arena) % 8);"));
  ASSERT_TRUE(passed(ran));
  EXPECT_EQ(ran->models[0].outputs.substr(0, 3), "\xA5\xA5\x04");
}

TEST_P(EachCore, OverwritesAreCaught) {
  const TempFolder folder = *TempFolder::make();
  const auto built = build(image_of(GetParam(), "  a[a[0]] = 1;"), folder.path());
  ASSERT_TRUE(passed(built));
  const auto write_at = [&](int8_t offset) { return run(*built, {{1, std::string(8, static_cast<char>(offset))}}); };
  EXPECT_TRUE(passed(write_at(23)));
  expect_error(write_at(24), "F8-0607", "0 bytes past its end");
  expect_error(write_at(87), "F8-0607", "63 bytes past its end");
  expect_error(write_at(-1), "F8-0607", "m, sample 0, on " + GetParam());
  expect_error(write_at(-64), "F8-0607", "64 bytes before the arena");
}

// A model whose input is a buffer of its own, kept, and whose output another.
TEST_P(EachCore, BuffersAreFencedAndKeptInputsWatched) {
  Model buffered{.name = "m", .arena_bytes = 24, .arena_align = 4};
  buffered.inputs = {{buffered.add_buffer(8), 8, true}};
  buffered.outputs = {{buffered.add_buffer(8), 8}};
  const TextFile m_header = {
      "m.h",
      "#pragma once\n#include <stdint.h>\nextern \"C\" { void m_invoke(void* arena, const int8_t* x, "
      "int8_t* y); const char* m_isa(void); }\n"};
  const TextFile m_source = {"m.cpp",
                             "#include \"m.h\"\nconst char* m_isa() { return \"isa\"; }\n"
                             "void m_invoke(void*, const int8_t* x, int8_t* y) {\n"
                             "  for (int i = 0; i < 8; ++i) y[i] = x[i];\n"
                             "  int8_t* const at = x[0] == 'x' ? (int8_t*)x : y;\n  at[x[1]] = 1;\n}\n"};
  const TempFolder folder = *TempFolder::make();
  const auto built =
      build({.target = find(GetParam()), .files = {m_header, m_source}, .models = {buffered}}, folder.path());
  ASSERT_TRUE(passed(built));
  const auto write_at = [&](const std::string& which, int8_t offset) {
    return run(*built, {{1, which + static_cast<char>(offset) + "abcdef"}});
  };
  const auto ran = write_at("y", 7);
  ASSERT_TRUE(passed(ran));
  EXPECT_EQ(ran->models[0].outputs, "y\7abcde\1");
  expect_error(write_at("x", 7), "F8-0607", "wrote into an input that is only read");
  expect_error(write_at("x", 8), "F8-0607", "next to a buffer of the caller's");
  expect_error(write_at("y", -1), "F8-0607", "next to a buffer of the caller's");
}

TEST_P(EachCore, FaultsAreReported) {
  expect_error(build_and_run(image_of(GetParam(), "  asm volatile(\"udf #0\");")), "F8-0605", "m, sample 0, on ");
  expect_error(build_and_run(image_of(GetParam(), "  *reinterpret_cast<volatile int*>(0xF0000000) = 1;")), "F8-0605",
               "exception 3 at pc 0x");
}

TEST_P(EachCore, UnalignedAccessFaultsOnlyOnCoresWithoutIt) {
  const auto ran = build_and_run(image_of(GetParam(), "  asm volatile(\"ldr r3, [%0]\" :: \"l\"(a + 1) : \"r3\");"));
  if (find(GetParam()).isa == "v6m") {
    expect_error(ran, "F8-0605", "exception 3");
  } else {
    EXPECT_TRUE(passed(ran));
  }
}

const std::string kUseStack = "volatile char local[{}]; for (size_t i = 0; i < sizeof local; ++i) local[i] = 1;";

TEST_P(EachCore, StackIsMeasured) {
  const auto ran = build_and_run({.target = find(GetParam()),
                                  .files = {header("m"), source("m", fmt::format(fmt::runtime(kUseStack), 1024)),
                                            header("empty"), source("empty", "")},
                                  .models = {model("m"), model("empty")}});
  ASSERT_TRUE(passed(ran));
  EXPECT_GE(ran->models[0].stack_bytes, 1024);
  EXPECT_LE(ran->models[0].stack_bytes, 1024 + 64);
  EXPECT_EQ(ran->models[1].stack_bytes, 0);
}

TEST_P(EachCore, StackOverflowIsReported) {
  expect_error(build_and_run(image_of(GetParam(), fmt::format(fmt::runtime(kUseStack), 70'000))), "F8-0606",
               "the stack overflowed");
}

TEST_P(EachCore, InstructionsAreExact) {
  const TempFolder folder = *TempFolder::make();
  const auto built = build(image_of(GetParam(), kLoop), folder.path());
  ASSERT_TRUE(passed(built));
  int64_t around = 0;  // instructions that are not the loop's
  for (const uint32_t rounds : {1u, 2u, 3u, 20u, 57u, 1000u, 1001u, 30'000'000u, 30'000'007u}) {
    std::string input(8, 'a');
    std::memcpy(input.data(), &rounds, sizeof rounds);
    const auto ran = run(*built, {{1, input}}, {.count_instructions = true});
    ASSERT_TRUE(passed(ran));
    if (rounds == 1) around = ran->models[0].instructions - 2;
    EXPECT_EQ(ran->models[0].instructions, 2 * int64_t{rounds} + around);
    EXPECT_EQ(ran->models[0].outputs[0], 'a');
  }
  EXPECT_GE(around, 3);  // ldr, ldrb, strb
  EXPECT_LE(around, 4);  // ARMv6-M moves the offset to a register
}

TEST_P(EachCore, TracesAreKeptInOrder) {
  Image image = image_of(GetParam(), "  fold8_trace(7, a, 3); fold8_trace(8, a + 4, 4);");
  const auto ran = build_and_run(image, {.count_instructions = true});
  ASSERT_TRUE(passed(ran));
  EXPECT_EQ(ran->models[0].trace, std::string("\7\0\0\0\3\0\0\0abc\10\0\0\0\4\0\0\0efgh", 23));
}

TEST_P(EachCore, SizesLeaveTheRunnerOut) {
  const auto sizes_of = [](const Image& image) {
    const TempFolder folder = *TempFolder::make();
    auto built = build(image, folder.path());
    EXPECT_TRUE(passed(built));
    return built ? built->sizes : Sizes{};
  };
  const Sizes empty = sizes_of(image_of(GetParam(), ""));
  EXPECT_LE(empty.code_bytes, 16);
  EXPECT_LE(empty.table_bytes, 8);  // the name of the ISA
  EXPECT_EQ(empty.data_bytes, 0);
  const Sizes tables = sizes_of(image_of(GetParam(), "  a[8] = kTable[a[0] & 1023]; a[9] = count++;",
                                         "const int8_t kTable[1024] = {1}; int8_t count;"));
  EXPECT_GE(tables.table_bytes, 1024);
  EXPECT_LE(tables.table_bytes, 1024 + 8);
  EXPECT_GE(tables.data_bytes, 1);
  EXPECT_LE(tables.data_bytes, 4);
  const Sizes library = sizes_of(image_of(GetParam(), "  memcpy(a + 8, a, static_cast<size_t>(a[0]));"));
  EXPECT_GE(library.code_bytes, empty.code_bytes + 20);  // newlib's memcpy
  EXPECT_TRUE(std::ranges::any_of(library.functions, [](auto& f) { return f.name.starts_with("memcpy"); }));
}

TEST_F(BoardTest, FunctionsAddUpToTheCode) {
  const std::string globals =
      "} namespace f8k { inline namespace v9_9 { struct Isa {}; template <class, int> [[gnu::noinline]] int twice(int "
      "x) "
      "{ return 2 * x; } } } namespace {";
  const TempFolder folder = *TempFolder::make();
  const auto built = build(
      image_of("cortex-m4", "  a[8] = static_cast<int8_t>(f8k::twice<f8k::Isa, 3>(a[0]));", globals), folder.path());
  ASSERT_TRUE(passed(built));
  int64_t sum = 0;
  std::string names;
  for (const FunctionSize& function : built->sizes.functions) {
    sum += function.bytes;
    names += function.name + ";";
  }
  EXPECT_EQ(sum, built->sizes.code_bytes);
  EXPECT_NE(names.find("twice<Isa, 3>;"), std::string::npos) << names;
  EXPECT_NE(names.find("m_invoke;"), std::string::npos) << names;
}

TEST_F(BoardTest, LargeTablesLinkOnEveryMachine) {
  for (const target::Target& target : target::all_targets()) {
    const auto ran =
        build_and_run(image_of(target.cpu, "  a[8] = kTable[(6 << 20) - 1 - (a[0] & 1)];",
                               "extern const int8_t kTable[6 << 20]; const int8_t kTable[6 << 20] = {1};"));
    ASSERT_TRUE(passed(ran));
    EXPECT_EQ(ran->models[0].outputs[0], 0);
  }
}

TEST_F(BoardTest, HangEndsAtTheLimit) {
  expect_error(build_and_run(image_of("cortex-m4", "  for (;;) asm volatile(\"\");"), {.time_limit_seconds = 1}),
               "F8-0604", "no end after 1 s");
}

TEST_F(BoardTest, CompilersComplaintIsShown) {
  expect_error(build_and_run(image_of("cortex-m4", "  int unused = 1;")), "F8-0602", "m.cpp:7");
  expect_error(build_and_run(image_of("cortex-m4", "  missing();", "} extern \"C\" void missing(); namespace {")),
               "F8-0603", "undefined reference to `missing'");
}

TEST_F(BoardTest, ExtraFlagsComeLast) {
  Image image = image_of("cortex-m4", "#ifdef __OPTIMIZE__\n#error optimised\n#endif");
  image.toolchain.flags = {"-O0"};
  EXPECT_TRUE(passed(build_and_run(image)));
}

TEST(Board, MissingToolsAreNamed) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "", 1);
  const auto tools = check_tools();
  const auto built = build_and_run(image_of("cortex-m4", ""));
  setenv("PATH", path.c_str(), 1);
  expect_error(tools, "F8-0601", "apt-get install");
  EXPECT_EQ(tools.errors().size(), 2u);
  expect_error(built, "F8-0601", "arm-none-eabi-g++ is not installed");
}

}  // namespace
}  // namespace fold8::board
