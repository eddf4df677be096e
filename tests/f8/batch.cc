#include "batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "driver/verify.h"
#include "emit/emit.h"
#include "interp/interpreter.h"
#include "native.h"

namespace fold8::f8 {
namespace {

using namespace ir;

std::string entry_name(size_t index) { return fmt::format("c{:04}", index + 1); }

// What is wrong with the packed and placed program, if anything.
std::optional<std::string> dialect_failure(const Prepared& prepared, const Program& placed) {
  if (auto failure = round_trip(placed)) return failure;
  std::vector<std::vector<Tensor>> outputs;
  for (const auto& sample : prepared.inputs) outputs.push_back(interp::run(placed, sample));
  return difference(outputs, prepared.outputs);
}

std::optional<backend::Compiled> compiled(const Prepared& prepared, const target::Target& target,
                                          const target::CompileOptions& options, std::string& failure) {
  try {
    auto result = backend::compile(prepared.program, target, options);
    if (!result) {
      failure = format(result.errors());
    } else if (const auto what = dialect_failure(prepared, result->program)) {
      failure = "interpreter of the packed form: " + *what;
    } else {
      return std::move(*result);
    }
  } catch (const std::exception& bug) {
    failure = fmt::format("compiler bug: {}", bug.what());
  }
  return std::nullopt;
}

// One sample's outputs, as the board wrote them, off the front of `bytes`.
std::vector<Tensor> take_outputs(std::string_view& bytes, const std::vector<Tensor>& like) {
  std::vector<Tensor> outputs;
  for (const Tensor& want : like) {
    Tensor got(want.elem, want.shape);
    std::memcpy(got.bytes.data(), bytes.data(), got.bytes.size());
    bytes.remove_prefix(got.bytes.size());
    outputs.push_back(std::move(got));
  }
  return outputs;
}

std::optional<std::string> run_failure(const Prepared& prepared, const target::Target& target,
                                       const board::ModelRun& run) {
  if (run.isa != target.isa) return fmt::format("ran {} kernels, expected {}", run.isa, target.isa);
  std::vector<std::vector<Tensor>> got;
  std::string_view bytes = run.outputs;
  for (const auto& want : prepared.outputs) got.push_back(take_outputs(bytes, want));
  return difference(got, prepared.outputs);
}

// The case whose name in the image the complaint has.
Failure image_failure(const Batch& batch, const Diags& errors) {
  const std::string text = format(errors);
  for (size_t i = 0; i < batch.models.size(); ++i)
    if (text.find(batch.models[i].name) != std::string::npos)
      return {nullptr,
              fmt::format("{} is {}:{} {}: {}", batch.models[i].name, batch.entries[i].prepared->test.file.string(),
                          batch.entries[i].prepared->test.line, batch.entries[i].prepared->test.name, text)};
  return {nullptr, text};
}

std::vector<Failure> compared(const Batch& batch, const Result<board::Run>& run) {
  if (!run) return {image_failure(batch, run.errors())};
  std::vector<Failure> failures;
  for (size_t i = 0; i < batch.entries.size(); ++i)
    if (auto what = run_failure(*batch.entries[i].prepared, batch.target, run->models[i]))
      failures.push_back({&batch.entries[i].prepared->test, std::move(*what)});
  return failures;
}

Result<board::Run> board_run(const Batch& batch, const board::Toolchain& toolchain,
                             const std::filesystem::path& folder) {
  const board::Image image{.target = batch.target,
                           .prefer = batch.options.prefer,
                           .files = batch.files,
                           .models = batch.models,
                           .toolchain = toolchain,
                           .one_translation_unit = true};
  F8_TRY(const board::Built built, board::build(image, folder));
  return board::run(built, batch.samples);
}

}  // namespace

Batch compile_all(const std::vector<Prepared>& cases, const target::Target& target, const target::CompileOptions& options,
                  std::vector<Failure>& failures) {
  Batch batch{target, options, {}, {}, {}, {}};
  for (const Prepared& prepared : cases) {
    std::string failure;
    if (auto result = compiled(prepared, target, options, failure)) {
      batch.entries.push_back({&prepared, std::move(*result)});
    } else {
      failures.push_back({&prepared.test, failure});
    }
  }
  return batch;
}

void emit_all(Batch& batch) {
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    const auto& [prepared, compiled] = batch.entries[i];
    const std::string name = entry_name(i);
    auto emission = emit::emit(compiled.program, compiled.plan, compiled.target, {.name = name});
    std::ranges::move(emission.files, std::back_inserter(batch.files));
    batch.models.push_back(driver::board_model(compiled, name));
    board::Samples samples{static_cast<int64_t>(prepared->inputs.size()), {}};
    for (const auto& sample : prepared->inputs) samples.bytes += driver::sample_bytes(sample);
    batch.samples.push_back(std::move(samples));
  }
}

std::vector<Failure> on_board(const Batch& batch, const board::Toolchain& toolchain) {
  const TempFolder folder = *TempFolder::make();
  return compared(batch, board_run(batch, toolchain, folder.path()));
}

std::vector<Failure> on_host(const Batch& batch) {
  const TempFolder folder = *TempFolder::make();
  return compared(batch, run_native(batch.files, batch.models, batch.samples, folder.path()));
}

}  // namespace fold8::f8
