#include "driver/compiler.h"

#include <fmt/format.h>

#include "base/files.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "ops/ops.h"
#include "pt2/pt2.h"

namespace fold8::driver {

namespace {

// Constants beyond a few elements stand in a text by seed, so that hand-written programs are far shorter.
constexpr int64_t kMaxTextBytes = int64_t{64} << 20;

Result<ir::Program> read_text(const std::filesystem::path& model) {
  F8_TRY(const std::string text, read_file(model, kMaxTextBytes));
  auto program = ir::parse(text, ops::table());
  if (program && (program->form == ir::Form::torch || program->form == ir::Form::int8)) return program;
  Diags diags = program ? Diags{error("F8-0406", fmt::format("the program is in {} form, expected torch or int8",
                                                             ir::form_name(program->form)))}
                        : program.take_errors();
  for (Diag& diag : diags) diag.in(model.string());
  return diags;
}

}  // namespace

Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options, Diags* blockers) {
  if (model.extension() == ".f8") return read_text(model);
  return pt2::read(model, ops::table(), {.bind = options.bind}, blockers);
}

Result<Int8Model> load_int8(const std::filesystem::path& model, const ModelOptions& options) {
  Diags blockers;
  F8_TRY(ir::Program program, load(model, options, &blockers));
  passes::Context context{.core = ops::core(), .input_layout = options.input_layout};
  if (program.form == ir::Form::int8) {
    F8_CHECK(passes::admit(program));
    context.macs_as_given = passes::total_macs(program);
  } else {
    F8_CHECK(passes::lower(program, context, options.ends, std::move(blockers)));
  }
  passes::own_ends(program, ops::core(), options.caller_owns);
  return Int8Model{std::move(program), context.macs_as_given, std::move(context.reports)};
}

std::string why_plain(const ir::Node& node) { return node.attrs.has("why") ? node.attrs.text("why") : ""; }

}  // namespace fold8::driver
