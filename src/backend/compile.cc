#include "backend/compile.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/verifier.h"
#include "ops/ops.h"

namespace fold8::backend {
namespace {

// For one core, under one user's options.
struct Asked {
  const target::Target& target;
  const target::CompileOptions& options;
};

Result<Compiled> place(ir::Program int8, const Asked& asked) {
  Compiled result{std::move(int8), {}, asked.target, asked.options};
  result.macs = passes::total_macs(result.program);
  F8_CHECK(passes::pack(result.program, asked.target, asked.options));
  F8_TRY(result.plan, plan::place(result.program, asked.target, asked.options.ram_bytes));
  F8_CHECK(ir::verify(result.program));
  return result;
}

Result<Compiled> place_patched(ir::Program int8, const Asked& asked, const Patch& patch) {
  passes::patch(int8, ops::core(), patch.stage, patch.rows, patch.columns);
  F8_TRY(Compiled result, place(std::move(int8), asked));
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
Result<Compiled> compile_in_tiles(const ir::Program& int8, const Asked& asked) {
  const auto [rows, columns] = std::pair(asked.options.patch_rows, asked.options.patch_columns);
  F8_TRY(const Compiled whole, place(int8, asked));
  std::optional<Compiled> best;
  for (const Patch& patch : patches(int8, rows, columns, whole.plan.arena_bytes)) {
    F8_TRY(Compiled found, place_patched(int8, asked, patch));
    if (!best || found.plan.arena_bytes < best->plan.arena_bytes) best = std::move(found);
  }
  if (best) return std::move(*best);
  return error("F8-0505", fmt::format("nothing can be computed in {}x{} tiles", rows, columns))
      .in(int8.file)
      .note(
          "tiles are of an image with so many rows and columns, batch 1, after convolutions, pools and elementwise "
          "ops");
}

// The cheapest tiles that fit.
Result<Compiled> compile_for_budget(const ir::Program& int8, const Asked& asked, int64_t whole_bytes) {
  constexpr int64_t kMostTiles = 4;  // along each axis
  std::vector<std::pair<int64_t, Patch>> by_macs;
  for (int64_t columns = 2; columns <= kMostTiles; ++columns)
    for (int64_t rows : {columns - 1, columns})
      for (const Patch& patch : patches(int8, rows, columns, whole_bytes)) {
        ir::Program p = int8;
        passes::patch(p, ops::core(), patch.stage, rows, columns);
        by_macs.emplace_back(passes::total_macs(p), patch);
      }
  std::ranges::stable_sort(by_macs, {}, [](const auto& entry) { return entry.first; });
  int64_t least = whole_bytes;
  for (const auto& [macs, patch] : by_macs) {
    F8_TRY(Compiled found, place_patched(int8, asked, patch));
    if (found.plan.arena_bytes <= asked.options.ram_bytes) return found;
    least = std::min(least, found.plan.arena_bytes);
  }
  return error("F8-0504", fmt::format("the arena takes {} bytes, {} with its first stage in tiles; --ram allows {}",
                                      whole_bytes, least, asked.options.ram_bytes))
      .in(int8.file)
      .note("--caller-owns leaves inputs and outputs outside, --consume-input uses their bytes");
}

}  // namespace

Result<Compiled> compile(ir::Program int8, const target::Target& target, const target::CompileOptions& options) {
  const Asked asked{target, options};
  passes::copy_constant_outputs(int8, ops::core());
  if (options.patch_rows > 0) return compile_in_tiles(int8, asked);
  F8_TRY(Compiled whole, place(int8, asked));
  if (options.ram_bytes == 0 || whole.plan.arena_bytes <= options.ram_bytes) return whole;
  return compile_for_budget(int8, asked, whole.plan.arena_bytes);
}

}  // namespace fold8::backend
