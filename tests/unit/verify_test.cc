// driver::verify: agreement, and a fault planted in one node's table is found and named.
#include "driver/verify.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "driver/cli.h"
#include "driver/compiler.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "source_dir.h"

namespace fold8::driver {
namespace {

using ir::ValueId;

Result<Int8Model> digits() { return load_int8(source_dir() / "examples/digits/digits_mlp.pt2", {}); }

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    if (auto tools = board::check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  }
};

TEST_F(Verify, AgreesWithTheInterpreter) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 2), {});
  ASSERT_TRUE(verdict) << format(verdict.errors());
  EXPECT_EQ(verdict->differing_bytes, 0);
  EXPECT_EQ(verdict->compared_bytes, verdict->samples * 10);
  EXPECT_EQ(verdict->isa, "v7m");
  EXPECT_GT(verdict->stack_bytes, 0);
  EXPECT_LE(verdict->stack_bytes, verdict->stack_bound);
}

// Other flags of a user's build: they may change code, not integers.
TEST_F(Verify, AgreesUnderOtherFlags) {
  auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const Samples samples = make_samples(model->program, 2);
  for (const char* cpu : {"cortex-m3", "cortex-m4", "cortex-m55"})
    for (const char* flag : {"-O0", "-O3", "-Os", "-flto", "-fno-omit-frame-pointer", "-fstack-protector-all"}) {
      const VerifyOptions options{.toolchain = {.flags = {flag}}};
      auto verdict = verify(model->program, *target::find_target(cpu), samples, options);
      ASSERT_TRUE(verdict) << cpu << flag << format(verdict.errors());
      EXPECT_EQ(verdict->differing_bytes, 0) << cpu << flag;
      EXPECT_FALSE(verdict->stack_bound);
    }
}

TEST_F(Verify, AgreesInTiles) {
  auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const Samples samples = make_samples(model->program, 2);
  int64_t tiles = 1;
  for (const char* cpu : {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"}) {
    VerifyOptions options{.compile = {.patch_rows = tiles, .patch_columns = tiles + 1}};
    ++tiles;
    auto verdict = verify(model->program, *target::find_target(cpu), samples, options);
    ASSERT_TRUE(verdict) << cpu << format(verdict.errors());
    EXPECT_EQ(verdict->differing_bytes, 0) << cpu;
  }
}

TEST_F(Verify, SaysWhichCompilerIsMissing) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  const VerifyOptions options{.toolchain = {.compiler = "no-such-compiler"}};
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 1), options);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.errors()[0].code, "F8-0601");
}

TEST_F(Verify, NamesTheFirstNodeThatDiffers) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  // Adds 1 to the first byte of linear_1's result.
  const auto change_result = [](std::vector<TextFile>& files) {
    for (TextFile& file : files) {
      std::string& text = file.contents;
      const size_t node = text.find("  // linear_1: ");
      if (node == std::string::npos) continue;
      const size_t end = std::min(text.find("  // linear_2: ", node), text.find("  fold8_trace(", node));
      const size_t result = text.rfind("f8k::at<int8_t>(", end);
      text.insert(end, "  ++*" + text.substr(result, text.find(')', result) + 1 - result) + ";\n");
    }
  };
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 2),
                        {.tamper = change_result});
  ASSERT_TRUE(verdict) << format(verdict.errors());
  EXPECT_GT(verdict->differing_bytes, 0);
  EXPECT_NE(verdict->difference.find("first node that differs: linear_1 (linear)"), std::string::npos)
      << verdict->difference;
  EXPECT_NE(verdict->difference.find("train.py"), std::string::npos) << verdict->difference;
}

// Two outputs of one input.
constexpr const char* kTwoOutputs =
    "program form=int8 {\n  in %x : q8[4] scale=1 zero=0\n  %y = requantize %x : q8[4] scale=0x1p-1 zero=0\n"
    "  %z = requantize %x : q8[4] scale=0x1p+1 zero=0\n  out %y, %z\n}\n";

// Where the input begins with 7, the first byte of one output is 1 more; nothing else is.
void spoil(std::vector<TextFile>& files, const Compiled& compiled, size_t output) {
  const auto at = [&](ValueId id) { return fmt::format("arena[{}]", *compiled.program[id].offset); };
  const std::string begin = "(void)arena;\n", end = "}\n\nextern \"C\" const char*";
  for (TextFile& file : files) {
    std::string& text = file.contents;
    if (!file.name.ends_with(".cpp")) continue;
    text.insert(text.find(end), fmt::format("  if (first == 7) ++{};\n", at(compiled.program.outputs[output])));
    text.insert(text.find(begin), fmt::format("const uint8_t first = {};\n  ", at(compiled.program.inputs[0])));
  }
}

TEST_F(Verify, ComparesEveryOutputOfEverySample) {
  const auto program = ir::parse(kTwoOutputs, ops::table());
  ASSERT_TRUE(program) << format(program.errors());
  const target::Target target = *target::find_target("cortex-m3");
  const auto compiled = compile(*program, target);
  ASSERT_TRUE(compiled);
  for (const auto& [sample, output] : {std::pair<size_t, size_t>{0, 1}, {2, 0}}) {
    Samples samples = make_samples(*program, 0);  // three constants
    samples.inputs[sample][0].as<int8_t>()[0] = 7;
    const auto verdict =
        verify(*program, target, samples,
               {.tamper = [&, output = output](std::vector<TextFile>& files) { spoil(files, *compiled, output); }});
    ASSERT_TRUE(verdict) << format(verdict.errors());
    EXPECT_EQ(verdict->samples, 3);
    EXPECT_EQ(verdict->compared_bytes, 3 * 8);
    EXPECT_EQ(verdict->differing_bytes, 1) << "sample " << sample << ", output " << output;
    EXPECT_FALSE(verdict->difference.empty());
  }
}

// A compiler that loses what is added to every product.
TEST_F(Verify, EndsWithOneOnADifference) {
  const TempFolder folder = *TempFolder::make();
  const std::string model = folder.path() / "two.f8", compiler = folder.path() / "compiler";
  ASSERT_TRUE(
      write_files(folder.path(),
                  {{"two.f8", kTwoOutputs},
                   {"compiler", "#!/bin/sh\nsed -i 's|/.c./ |/*c*/ 0 * |' *.cpp\nexec arm-none-eabi-g++ \"$@\"\n"}}));
  std::filesystem::permissions(compiler, std::filesystem::perms::owner_all);
  const auto exit_code = [&](std::vector<std::string> words) {
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    return run_cli(static_cast<int>(pointers.size()), pointers.data());
  };
  testing::internal::CaptureStdout();
  EXPECT_EQ(exit_code({"fold8", "verify", model, "--target", "cortex-m3"}), 0);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("\nbit for bit equal"), std::string::npos);
  testing::internal::CaptureStdout();
  EXPECT_EQ(exit_code({"fold8", "verify", model, "--target", "cortex-m3", "--compiler", compiler}), 1);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_NE(said.find("NOT equal"), std::string::npos) << said;
}

}  // namespace
}  // namespace fold8::driver
