// NumPy's files: what reads, and what each fault in one is called. Bytes are written here as numpy/lib/format.py says.
#include "driver/npy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "driver/samples.h"
#include "ir/text.h"
#include "ops/ops.h"

namespace fold8::driver {
namespace {

using ir::Shape;
using ir::Tensor;

std::string npy(const std::string& dtype, const std::string& shape, const std::string& data,
                const std::string& fortran = "False", int version = 1) {
  const std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", dtype, fortran, shape);
  std::string length(version == 1 ? 2 : 4, '\0');
  length[0] = static_cast<char>(text.size());
  return "\x93NUMPY" + std::string{static_cast<char>(version), '\0'} + length + text + data;
}

Result<Tensor> read(const std::string& bytes) {
  const TempFolder folder = *TempFolder::make();
  const auto path = folder.path() / "x.npy";
  EXPECT_TRUE(write_file(path, bytes));
  return read_npy(path);
}

void expect_refused(const std::string& bytes, const std::string& text) {
  const auto array = read(bytes);
  ASSERT_FALSE(array) << "expected: " << text;
  EXPECT_EQ(array.errors()[0].code, "F8-0401") << format(array.errors());
  EXPECT_NE(format(array.errors()).find(text), std::string::npos) << format(array.errors());
}

TEST(Npy, EveryVersionIsReadFromItsOwnOffset) {
  for (int version : {1, 2, 3}) {
    const auto array = read(npy("|i1", "(2, 3)", "abcdef", "False", version));
    ASSERT_TRUE(array) << version << format(array.errors());
    EXPECT_EQ(array->shape, (Shape{2, 3}));
    EXPECT_EQ(array->as<int8_t>()[0], 'a') << version;
    EXPECT_EQ(array->as<int8_t>()[5], 'f') << version;
  }
  for (int version : {0, 4, 9}) expect_refused(npy("|i1", "(2, 3)", "abcdef", "False", version), "format version");
}

TEST(Npy, Shapes) {
  const std::pair<const char*, Shape> kRight[] = {{"()", {}}, {"(1,)", {1}}, {"(1, 1)", {1, 1}}, {"(1,1,)", {1, 1}}};
  for (const auto& [text, shape] : kRight) {
    const auto array = read(npy("|i1", text, "a"));
    ASSERT_TRUE(array) << text << format(array.errors());
    EXPECT_EQ(array->shape, shape) << text;
  }
  const auto empty = read(npy("|i1", "(3, 0, 4)", ""));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->shape, (Shape{3, 0, 4}));
  for (const char* text : {"(1 1)", "(1)", "(,)", "(,1)", "(1,,1)", "(-1,)", "(1.0,)", "1", "[1]", "(1", "(a,)",
                           "(4611686018427387904, 0, 4)", "(9223372036854775807, 2)", "(99999999999999999999,)"})
    expect_refused(npy("|i1", text, "a"), "has a shape that cannot be read");
}

TEST(Npy, FortranOrder) {
  expect_refused(npy("|i1", "(2, 3)", "abcdef", "True"), "is in Fortran order");
  expect_refused(npy("|i1", "(2, 3)", "abcdef", "True"), "numpy.ascontiguousarray(array)");
}

TEST(Npy, DataThatTheShapeDoesNotAccountFor) {
  expect_refused(npy("|i1", "(2, 3)", "abcdefg"), "has shape [2,3] but 7 bytes of data");
  expect_refused(npy("|i1", "(2, 3)", "abcde"), "has shape [2,3] but 5 bytes of data");
  expect_refused(npy("<f4", "(2, 3)", "abcdef"), "has shape [2,3] but 6 bytes of data");
  expect_refused(npy("|i1", "(0,)", "a"), "has shape [0] but 1 bytes of data");
}

TEST(Npy, ElementTypesThatAreNotRead) {
  expect_refused(npy("|u1", "(1,)", "a"), "bytes are not scaled here");
  expect_refused(npy("<f8", "(1,)", "abcdefgh"), "numpy.float32(array)");
  expect_refused(npy("<i8", "(1,)", "abcdefgh"), "a model's inputs are not indices");
  expect_refused(npy(">f4", "(1,)", "abcd"), "byte order");
  expect_refused(npy("<c8", "(1,)", "abcdefgh"), "has elements of type '<c8', expected float32");
}

TEST(Npy, NoArrayAtAll) {
  expect_refused("", "is not a .npy file");
  expect_refused("PK\3\4 of a .npz", "is not a .npy file");
  const std::string whole = npy("|i1", "(2, 3)", "abcdef");
  for (size_t size = 6; size < whole.size(); ++size) expect_refused(whole.substr(0, size), "");
}

TEST(Npy, WrittenIsReadAgain) {
  for (const Shape& shape : {Shape{}, Shape{2}, Shape{2, 1}}) {
    const TempFolder folder = *TempFolder::make();
    Tensor tensor(ir::Elem::f32, shape);
    for (size_t i = 0; i < tensor.as<float>().size(); ++i) tensor.as<float>()[i] = 0.5f + static_cast<float>(i);
    ASSERT_TRUE(write_npy(folder.path() / "y.npy", tensor));
    const auto again = read_npy(folder.path() / "y.npy");
    ASSERT_TRUE(again) << format(again.errors());
    EXPECT_EQ(again->shape, shape);
    EXPECT_EQ(again->bytes, tensor.bytes);
  }
}

TEST(Samples, EveryInputBringsAsManySamples) {
  const auto program = ir::parse(
      "program form=int8 { in %a : q8[1,2] scale=1.0 zero=0 in %b : q8[1,2] scale=1.0 zero=0"
      " %y = add %a, %b : q8[1,2] scale=1.0 zero=0 out %y }",
      ops::table());
  ASSERT_TRUE(program) << format(program.errors());
  const TempFolder folder = *TempFolder::make();
  const auto one = (folder.path() / "one.npy").string();
  const auto two = (folder.path() / "two.npy").string();
  ASSERT_TRUE(write_file(one, npy("|i1", "(1, 2)", "ab")));
  ASSERT_TRUE(write_file(two, npy("|i1", "(2, 2)", "cdef")));
  const auto both = read_samples(*program, {two, two});
  ASSERT_TRUE(both) << format(both.errors());
  ASSERT_EQ(both->inputs.size(), 2U);
  EXPECT_EQ(both->inputs[1][0].as<int8_t>()[0], 'e');
  EXPECT_EQ(both->inputs[0][1].as<int8_t>()[1], 'd');
  for (const auto& [first, second, text] :
       {std::tuple(two, one, "holds 1 samples, the input before it 2"), {one, two, "holds 2 samples"}}) {
    const auto uneven = read_samples(*program, {first, second});
    ASSERT_FALSE(uneven);
    EXPECT_EQ(uneven.errors()[0].code, "F8-0402");
    EXPECT_NE(uneven.errors()[0].message.find(text), std::string::npos) << format(uneven.errors());
  }
}

TEST(Samples, ValuesThatInt8CannotHoldAreCounted) {
  const TempFolder folder = *TempFolder::make();
  const auto path = (folder.path() / "x.npy").string();
  // 1.0, 100.0, -inf, NaN: scale 1/8 and zero point 0 hold -16.06 to 15.94
  const char kValues[] = "\0\0\x80\x3f\0\0\xc8\x42\0\0\x80\xff\0\0\xc0\x7f";
  ASSERT_TRUE(write_file(path, npy("<f4", "(4,)", std::string(kValues, 16))));
  for (const char* text :
       {"program form=int8 { in %x : q8[4] scale=0x1p-3 zero=0 out %x }",
        "program form=int8 { in %x : f32[4] %q = quantize %x : q8[4] scale=0x1p-3 zero=0 out %q }"}) {
    const auto program = ir::parse(text, ops::table());
    ASSERT_TRUE(program) << format(program.errors());
    const auto samples = read_samples(*program, {path});
    ASSERT_TRUE(samples) << format(samples.errors());
    const std::string reports = format(samples->reports);
    EXPECT_NE(reports.find("warning[F8-0407]: input x: 1 of 4 values are NaN"), std::string::npos) << reports;
    EXPECT_NE(reports.find("input x: 2 of 4 values lie outside -16.06 to 15.94 and saturate"), std::string::npos)
        << reports;
  }
}

}  // namespace
}  // namespace fold8::driver
