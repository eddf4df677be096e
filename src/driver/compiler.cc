#include "driver/compiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "ops/ops.h"
#include "pt2/pt2.h"

namespace fold8::driver {

namespace {

Result<ir::Program> read_text(const std::filesystem::path& model) {
  F8_TRY(const std::string text, read_file(model));
  auto program = ir::parse(text, ops::table());
  if (program && (program->form == ir::Form::torch || program->form == ir::Form::int8)) return program;
  Diags diags = program ? Diags{error("F8-0406", fmt::format("the program is in {} form, expected torch or int8",
                                                             ir::form_name(program->form)))}
                        : program.take_errors();
  for (Diag& diag : diags) diag.in(model.string());
  return diags;
}

}  // namespace

Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options) {
  if (model.extension() == ".f8") return read_text(model);
  return pt2::read(model, ops::table(), {.bind = options.bind});
}

Result<Int8Model> load_int8(const std::filesystem::path& model, const ModelOptions& options) {
  F8_TRY(ir::Program program, load(model, options));
  passes::Context context{.ops = ops::table(), .input_layout = options.input_layout};
  if (program.form == ir::Form::int8) {
    F8_CHECK(ir::verify(program));
    context.macs_as_given = passes::total_macs(program);
  } else {
    F8_CHECK(passes::lower(program, context, options.ends));
  }
  passes::own_ends(program, ops::table(), options.caller_owns);
  return Int8Model{std::move(program), context.macs_as_given, std::move(context.reports)};
}

namespace {

Result<Compiled> place(ir::Program int8, const target::Target& target) {
  Compiled result{std::move(int8), {}, target};
  result.macs = passes::total_macs(result.program);
  F8_CHECK(passes::pack(result.program, target));
  F8_TRY(result.plan, plan::place(result.program, target));
  F8_CHECK(ir::verify(result.program));
  return result;
}

Result<Compiled> place_patched(ir::Program int8, const target::Target& target, const Patch& patch) {
  passes::patch(int8, ops::table(), patch.stage, patch.rows, patch.columns);
  F8_TRY(Compiled result, place(std::move(int8), target));
  result.patch = patch;
  return result;
}

// Every stage whose result has so many rows and columns to share out.
std::vector<Patch> patches(const ir::Program& int8, int64_t rows, int64_t columns, int64_t whole_bytes) {
  std::vector<Patch> all;
  for (const passes::Stage& stage : passes::patchable_stages(int8)) {
    const ir::Node& last = int8.nodes[stage.end - 1];
    const ir::Shape& image = int8.type(last.outputs[0]).shape;
    if (image[1] >= rows && image[2] >= columns) all.push_back({stage, rows, columns, last.name, whole_bytes});
  }
  return all;
}

// Of the stages the one whose arena is smallest, the first of several.
Result<Compiled> compile_in_tiles(const ir::Program& int8, const target::Target& target) {
  F8_TRY(const Compiled whole, place(int8, target));
  std::optional<Compiled> best;
  for (const Patch& patch : patches(int8, target.patch_rows, target.patch_columns, whole.plan.arena_bytes)) {
    F8_TRY(Compiled found, place_patched(int8, target, patch));
    if (!best || found.plan.arena_bytes < best->plan.arena_bytes) best = std::move(found);
  }
  if (best) return std::move(*best);
  return error("F8-0505",
               fmt::format("nothing can be computed in {}x{} tiles", target.patch_rows, target.patch_columns))
      .in(int8.file)
      .note(
          "tiles are of an image with so many rows and columns, batch 1, after convolutions, pools and elementwise "
          "ops");
}

// The cheapest tiles that fit.
Result<Compiled> compile_for_budget(const ir::Program& int8, const target::Target& target, int64_t whole_bytes) {
  constexpr int64_t kMostTiles = 4;  // along each axis
  std::vector<std::pair<int64_t, Patch>> by_macs;
  for (int64_t columns = 2; columns <= kMostTiles; ++columns)
    for (int64_t rows : {columns - 1, columns})
      for (const Patch& patch : patches(int8, rows, columns, whole_bytes)) {
        ir::Program p = int8;
        passes::patch(p, ops::table(), patch.stage, rows, columns);
        by_macs.emplace_back(passes::total_macs(p), patch);
      }
  std::ranges::stable_sort(by_macs, {}, [](const auto& entry) { return entry.first; });
  int64_t least = whole_bytes;
  for (const auto& [macs, patch] : by_macs) {
    F8_TRY(Compiled found, place_patched(int8, target, patch));
    if (found.plan.arena_bytes <= target.ram_bytes) return found;
    least = std::min(least, found.plan.arena_bytes);
  }
  return error("F8-0504", fmt::format("the arena takes {} bytes, {} with its first stage in tiles; --ram allows {}",
                                      whole_bytes, least, target.ram_bytes))
      .in(int8.file)
      .note("--caller-owns leaves inputs and outputs outside, --consume-input uses their bytes");
}

}  // namespace

std::string why_plain(const ir::Node& node) { return node.attrs.has("why") ? node.attrs.text("why") : ""; }

Result<Compiled> compile(ir::Program int8, const target::Target& target) {
  passes::copy_constant_outputs(int8, ops::table());
  if (target.patch_rows > 0) return compile_in_tiles(int8, target);
  F8_TRY(Compiled whole, place(int8, target));
  if (target.ram_bytes == 0 || whole.plan.arena_bytes <= target.ram_bytes) return whole;
  return compile_for_budget(int8, target, whole.plan.arena_bytes);
}

}  // namespace fold8::driver
