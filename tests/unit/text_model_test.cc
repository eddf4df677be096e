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

// What lowering checks of its own results is checked of a text in int8 form, too. Each once, with a code.
TEST(TextModel, Int8FormThatNoPassWouldMakeIsRefused) {
  const std::string x = "in %x : q8[1,4] scale=1 zero=0 ";
  const std::string w = "const %w : q8[2,4] scale=1 zero=0 = {1 2 3 4 5 6 7 8} ";
  const std::string image = "in %x : q8[1,4,3,3] scale=1 zero=0 ";
  const std::pair<std::string, const char*> kPrograms[] = {
      {x + "in %w : q8[2,4] scale=1 zero=0 %y = linear %x, %w : q8[1,2] scale=1 zero=0 out %y", "F8-0302"},
      {x + w + "in %b : q32[2] scale=1 zero=0 %y = linear %x, %w, %b : q8[1,2] scale=1 zero=0 out %y", "F8-0203"},
      {x + w + "const %b : q32[2] scale=1 zero=0 = {2147483647 0} %y = linear %x, %w, %b : q8[1,2] scale=0x1p24 "
               "zero=0 out %y", "F8-0302"},
      {"in %x : q8[1,4] scale=0x1p40 zero=0 " + w + "%y = linear %x, %w : q8[1,2] scale=0x1p-40 zero=0 out %y",
       "F8-0302"},
      {x + "const %w : q8[2,4] scale=1 zero=5 = {1 2 3 4 5 6 7 8} %y = linear %x, %w : q8[1,2] scale=1 zero=0 out %y",
       "F8-0302"},
      {"in %x : i64[1,4] out %x", "F8-0203"},
      {x + "out %x, _", "F8-0202"},
      {image + "%y = max_pool %x kernel=[1,1] pad=[0,0,0,0] stride=[1,1] : q8[1,4,3,3] scale=1 zero=0 out %y",
       "F8-0203"},
      {image + "const %w : q8[4,4,1,1] scale=1 zero=0 = seed(1,4,127) %y = conv2d %x, %w dilation=[1,1] groups=1 "
               "pad=[0,0,0,0] stride=[1,1] : q8[1,4,3,3] scale=64 zero=0 out %y", "F8-0203"},
  };
  for (const auto& [text, code] : kPrograms) {
    const auto model = load_text("program form=int8 { " + text + " }");
    ASSERT_FALSE(model) << text;
    EXPECT_EQ(model.errors()[0].code, code) << text << format(model.errors());
  }
  const auto bounds = load_text(
      "program form=torch { in %x : f32[1,4] const %w : f32[2,4] = {1 2 3 4 5 6 7 8} %y = linear %x, %w max=inf "
      "min=[0,0] : f32[1,2] out %y }");
  ASSERT_FALSE(bounds);
  EXPECT_EQ(bounds.errors()[0].code, "F8-0203") << format(bounds.errors());
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
