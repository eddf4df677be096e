#include "driver/compiler.h"

#include "ir/verifier.h"
#include "ops/ops.h"
#include "pt2/pt2.h"

namespace fold8::driver {

Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options) {
  return pt2::read(model, ops::table(), {.bind = options.bind});
}

Result<Int8Model> load_int8(const std::filesystem::path& model, const ModelOptions& options) {
  F8_TRY(ir::Program program, load(model, options));
  passes::Context context{.ops = ops::table(), .input_layout = options.input_layout};
  F8_CHECK(passes::lower(program, context, options.ends));
  return Int8Model{std::move(program), context.macs_as_given, std::move(context.reports)};
}

std::string why_plain(const ir::Node& node) { return node.attrs.has("why") ? node.attrs.text("why") : ""; }

Result<Compiled> compile(ir::Program int8, const target::Target& target) {
  Compiled result{std::move(int8), {}, target};
  F8_CHECK(passes::pack(result.program, target));
  F8_TRY(result.plan, plan::place(result.program, target));
  F8_CHECK(ir::verify(result.program));
  return result;
}

}  // namespace fold8::driver
