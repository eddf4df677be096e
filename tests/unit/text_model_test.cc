// Programs in text form as model files.
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "driver/compiler.h"
#include "source_dir.h"

namespace fold8::driver {
namespace {

Result<Int8Model> load_text(const std::string& text) {
  const TempFolder folder = *TempFolder::make();
  std::ofstream(folder.path() / "model.f8") << text;
  return load_int8(folder.path() / "model.f8", {});
}

TEST(TextModel, Int8FormIsTakenAsItIs) {
  const auto model = load_text(
      "program form=int8 {\n  in %x : q8[1,4] scale=0x1p-5 zero=-3\n  const %w : q8[3,4] scale=0x1p-7 zero=0 = "
      "seed(1,-127,127)\n  %y = linear %x, %w : q8[1,3] scale=1 zero=5\n  out %y\n}\n");
  ASSERT_TRUE(model) << format(model.errors());
  EXPECT_EQ(model->program.form, ir::Form::int8);
  EXPECT_EQ(model->macs_as_given, 12);
}

TEST(TextModel, TorchFormIsLowered) {
  const auto model = load_text(
      "program form=torch {\n  in %x : f32[1,4]\n  %q = quantize %x : q8[1,4] scale=0x1p-5 zero=-3\n"
      "  %d = dequantize %q : f32[1,4]\n  out %d\n}\n");
  ASSERT_TRUE(model) << format(model.errors());
  EXPECT_EQ(model->program.form, ir::Form::int8);
}

TEST(TextModel, AnArenaLargerThanAllowedIsRefused) {
  const auto model = load_text(
      "program form=int8 {\n  in %x : q8[1,64] scale=0x1p-5 zero=-3\n  %y = softmax %x dim=1 : q8[1,64] "
      "scale=0x1p-8 zero=-128\n  out %y\n}\n");
  ASSERT_TRUE(model) << format(model.errors());
  const target::Target target = *target::find_target("cortex-m3");
  target::CompileOptions options;
  const auto compiled = backend::compile(model->program, target, options);
  ASSERT_TRUE(compiled) << format(compiled.errors());
  options.ram_bytes = compiled->plan.arena_bytes;
  EXPECT_TRUE(backend::compile(model->program, target, options));
  options.ram_bytes -= 1;
  const auto refused = backend::compile(model->program, target, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.errors()[0].code, "F8-0504");
}

TEST(Tiles, AreTakenWhereTheMemoryDemandsThem) {
  const auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const target::Target target = *target::find_target("cortex-m4");
  target::CompileOptions options;
  const auto whole = backend::compile(model->program, target, options);
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->patch);
  options.ram_bytes = whole->plan.arena_bytes;
  const auto fits = backend::compile(model->program, target, options);
  ASSERT_TRUE(fits);
  EXPECT_FALSE(fits->patch);
  options.ram_bytes -= 1;
  const auto tiles = backend::compile(model->program, target, options);
  ASSERT_TRUE(tiles);
  ASSERT_TRUE(tiles->patch);
  EXPECT_EQ(tiles->patch->whole_bytes, whole->plan.arena_bytes);
  EXPECT_LE(tiles->plan.arena_bytes, options.ram_bytes);
  EXPECT_GT(tiles->macs, whole->macs);
}

TEST(Tiles, NoStageHasSoMany) {
  const auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model);
  const target::Target target = *target::find_target("cortex-m4");
  target::CompileOptions options;
  options.patch_rows = options.patch_columns = 9;  // of 8x8 pixels
  const auto refused = backend::compile(model->program, target, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.errors()[0].code, "F8-0505");
}

TEST(TextModel, ErrorsNameFileAndLine) {
  const auto model = load_text("program form=int8 {\n  nonsense\n}\n");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.errors()[0].code, "F8-0201");
  EXPECT_NE(format(model.errors()).find("model.f8"), std::string::npos);
  EXPECT_NE(format(model.errors()).find(":2"), std::string::npos) << format(model.errors());
}

TEST(TextModel, PackedFormIsRefused) {
  const auto model = load_text("program form=packed {\n  in %x : q8[1,4] scale=1 zero=0\n  out %x\n}\n");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.errors()[0].code, "F8-0406");
}

}  // namespace
}  // namespace fold8::driver
