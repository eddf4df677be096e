// How exported graphs spell convolutions.
#include "ops/conv2d/conv2d.h"

namespace fold8::ops {
extern const ir::OpDef op_conv2d;
extern const ir::OpDef op_reshape;

namespace conv {

using namespace ir;

namespace {

// A list of one counts for every spatial dimension, as in PyTorch.
Result<Ints> spatial(const ImportCall& call, const char* arg, size_t rank) {
  F8_TRY(Ints list, call.integers(arg));
  if (list.size() == 1) list.resize(rank, list[0]);
  if (list.size() != rank)
    return call.fail("F8-0301", fmt::format("{} has {} numbers; expected {}", arg, list.size(), rank));
  return list;
}

// padding="valid" or "same" (the odd element of "same" goes to the end), or numbers.
Result<Ints> padding(const ImportCall& call, const Ints& kernel, const Ints& dilation) {
  Ints sides;
  if (const auto* mode = std::get_if<std::string>(&call.args.find("padding")->second)) {
    if (*mode != "valid" && *mode != "same")
      return call.fail("F8-0301", fmt::format("padding mode '{}'; supported: valid, same, numbers", *mode));
    for (size_t i = 0; i < kernel.size(); ++i) {
      const int64_t total = *mode == "same" ? dilation[i] * (kernel[i] - 1) : 0;
      sides.insert(sides.end(), {total / 2, total - total / 2});
    }
    return sides;
  }
  F8_TRY(const Ints both, spatial(call, "padding", kernel.size()));
  for (int64_t pad : both) sides.insert(sides.end(), {pad, pad});
  return sides;
}

Result<Attrs> window_attrs(const ImportCall& call, const Ints& kernel) {
  const size_t rank = kernel.size();
  F8_TRY(Ints stride, spatial(call, "stride", rank));
  F8_TRY(Ints dilation, spatial(call, "dilation", rank));
  F8_TRY(Ints pad, padding(call, kernel, dilation));
  F8_TRY(const int64_t groups, call.integer("groups"));
  if (rank == 1) {
    stride.insert(stride.begin(), 1);
    dilation.insert(dilation.begin(), 1);
    pad.insert(pad.begin(), {0, 0});
  }
  Attrs attrs;
  attrs.set("stride", stride);
  attrs.set("dilation", dilation);
  attrs.set("pad", pad);
  attrs.set("groups", groups);
  return attrs;
}

Result<ValueId> reshaped(ImportCall& call, ValueId x, Shape shape, bool is_result) {
  Attrs attrs;
  attrs.set("shape", std::move(shape));
  return call.emit(op_reshape, {x}, attrs, is_result);
}

Shape with_height(Shape shape) {
  shape.insert(shape.begin() + 2, 1);
  return shape;
}

}  // namespace

Result<> import_conv(ImportCall& call) {
  F8_TRY(ValueId x, call.tensor("input"));
  F8_TRY(ValueId w, call.tensor("weight"));
  F8_TRY(const ValueId b, call.optional_tensor("bias"));
  const Shape ws = call.program.type(w).shape;
  const Shape xs = call.program.type(x).shape;
  if ((ws.size() != 3 && ws.size() != 4) || xs.size() != ws.size())
    return call.fail("F8-0301",
                     fmt::format("input {} and weight {}; supported: [N,C,H,W] with [O,I,h,w], [N,C,L] with [O,I,l]",
                                 shape_text(xs), shape_text(ws)));
  F8_TRY(const Attrs attrs, window_attrs(call, Ints(ws.begin() + 2, ws.end())));
  const bool flat = ws.size() == 3;
  if (flat) {
    F8_TRY(x, reshaped(call, x, with_height(xs), false));
    F8_TRY(w, reshaped(call, w, with_height(ws), false));
  }
  std::vector<ValueId> operands = {x, w};
  if (b != ValueId::none) operands.push_back(b);
  F8_TRY(const ValueId y, call.emit(op_conv2d, operands, attrs, /*is_result=*/!flat));
  if (!flat) return ok;
  Shape ys = call.program.type(y).shape;
  ys.erase(ys.begin() + 2);
  F8_CHECK(reshaped(call, y, ys, true));
  return ok;
}

Result<> import_convolution(ImportCall& call) {
  F8_TRY(const bool transposed, call.boolean("transposed"));
  if (transposed) return call.fail("F8-0301", "transposed convolution is not supported");
  return import_conv(call);
}

}  // namespace conv
}  // namespace fold8::ops
