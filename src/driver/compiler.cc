#include "driver/compiler.h"

#include "ir/verifier.h"
#include "ops/ops.h"
#include "pt2/pt2.h"

namespace fold8::driver {

Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options) {
  return pt2::read(model, ops::table(), {.bind = options.bind});
}

Result<ir::Program> load_int8(const std::filesystem::path& model, const ModelOptions& options, Diags& reports) {
  F8_TRY(ir::Program program, load(model, options));
  passes::Context context{ops::table(), {}};
  F8_CHECK(passes::lower(program, context, options.ends));
  reports.insert(reports.end(), context.reports.begin(), context.reports.end());
  return program;
}

Result<Compiled> compile(ir::Program int8, const target::Target& target) {
  Compiled result{std::move(int8), {}, target};
  F8_CHECK(passes::pack(result.program, target));
  F8_TRY(result.plan, plan::place(result.program, target));
  F8_CHECK(ir::verify(result.program));
  F8_CHECK(plan::verify_placement(result.program, result.plan, target));
  return result;
}

int64_t total_macs(const ir::Program& program) {
  int64_t total = 0;
  for (const ir::Node& node : program.nodes)
    if (node.op->macs != nullptr) total += node.op->macs(program, node);
  return total;
}

}  // namespace fold8::driver
