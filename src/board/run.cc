// run(): writes the samples where the runner on the board reads them, starts QEMU, and reads back what it wrote.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "board/board.h"
#include "board/image.h"
#include "board/machine.h"
#include "board/process.h"
#include "board/protocol.h"
#include "board/trace.h"

namespace fold8::board {
namespace fs = std::filesystem;
namespace {

int64_t total_bytes(const std::vector<Slice>& slices) {
  int64_t bytes = 0;
  for (const Slice& slice : slices) bytes += slice.bytes;
  return bytes;
}

template <class Record>
std::string bytes_of(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

template <class Record>
Result<Record> read_record(const fs::path& path) {
  F8_TRY(const std::string bytes, read_file(path));
  Record record;
  if (bytes.size() != sizeof record) return error("F8-0608", "the image left a broken result").in(path.string());
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

// --- instructions ---------------------------------------------------------------------------------------------------

// When the snapshot's first read took place, picoseconds, less a constant: each read shows a tick that had begun by
// then, and the latest of these beginnings is within one phase step of the truth (protocol.h).
int64_t time_of(const f8board::Snapshot& snapshot, int64_t tick_ps) {
  int64_t time_ps = INT64_MIN;
  for (int64_t i = 0; i < f8board::kReads; ++i) {
    const int64_t in_period = (f8board::kPeriod - snapshot.values[i]) % f8board::kPeriod;
    const bool wrapped = snapshot.pending != 0 && in_period < f8board::kPeriod / 2;
    const int64_t ticks = (snapshot.wraps + int64_t{wrapped}) * f8board::kPeriod + in_period;
    time_ps = std::max(time_ps, ticks * tick_ps - i * f8board::kReadInstructions * 1000);
  }
  return time_ps;
}

int64_t instructions_between(const f8board::Snapshot& before, const f8board::Snapshot& after, int64_t tick_ps) {
  const int64_t elapsed_ps = time_of(after, tick_ps) - time_of(before, tick_ps);
  const int64_t interrupts = int64_t{after.wraps} - before.wraps;
  return (elapsed_ps + 500) / 1000 - interrupts * f8board::kInterruptInstructions;
}

int64_t instructions_of(const f8board::Result& result, int64_t tick_ps) {
  return instructions_between(result.before, result.after, tick_ps) -
         instructions_between(result.empty_before, result.empty_after, tick_ps);
}

// --- failures -------------------------------------------------------------------------------------------------------

std::string under_way(const Built& built, const f8board::Report& report) {
  const std::string name = report.model < built.models.size() ? built.models[report.model].name : "the runner";
  return fmt::format("{}, sample {}, on {}", name, report.sample, built.target.cpu);
}

Diag overwritten(const Built& built, const f8board::Report& report) {
  const auto offset = static_cast<int32_t>(report.address);
  const Model& model = built.models.at(report.model);
  const int64_t arena_bytes = model.arena_bytes;
  std::string where = offset < 0 ? fmt::format("{} bytes before the arena", -offset)
                                 : fmt::format("{} bytes past its end", offset - arena_bytes);
  if (offset >= arena_bytes + f8board::kGuardBytes) where = "next to a buffer of the caller's";
  return error("F8-0607", fmt::format("{}: wrote outside its arena of {} bytes: {}", under_way(built, report),
                                      arena_bytes, where));
}

Diag faulted(const Built& built, const f8board::Report& report) {
  return error("F8-0605", fmt::format("{}: the core took exception {} at pc {:#010x}", under_way(built, report),
                                      report.exception, report.pc))
      .note(fmt::format("lr {:#010x}, cfsr {:#010x}, hfsr {:#010x}", report.lr, report.cfsr, report.hfsr))
      .note(fmt::format("image: {}", (built.folder / "image.elf").string()));
}

Diag failed(const Built& built, const Finished& qemu) {
  auto report = read_record<f8board::Report>(built.folder / "report");
  if (report && static_cast<int>(report->status) == qemu.exit_code) {
    if (report->status == f8board::kArenaOverwritten) return overwritten(built, *report);
    if (report->status == f8board::kInputOverwritten)
      return error("F8-0607", fmt::format("{}: wrote into an input that is only read", under_way(built, *report)));
    if (report->status == f8board::kFault) return faulted(built, *report);
    if (report->status == f8board::kStackOverflow)
      return error("F8-0606", fmt::format("{}: the stack overflowed", under_way(built, *report)));
    if (report->status == f8board::kFileError)
      return error("F8-0608", fmt::format("{}: a file could not be read or written", under_way(built, *report)));
  }
  Diag diag = error("F8-0608", fmt::format("qemu-system-arm ended with exit code {}", qemu.exit_code));
  if (!qemu.output.empty()) diag.note(qemu.output.substr(0, 400));
  return diag;
}

// --- one run --------------------------------------------------------------------------------------------------------

Result<> write_requests(const Built& built, const std::vector<Samples>& samples, bool count_instructions) {
  require(samples.size() == built.models.size(), "each model has its samples");
  std::vector<TextFile> files;
  std::error_code ec;
  fs::remove(built.folder / "report", ec);
  for (size_t i = 0; i < samples.size(); ++i) {
    const Model& model = built.models[i];
    require(samples[i].count >= 0 && samples[i].count < UINT32_MAX, "a run has less than 2^32 samples");
    require(samples[i].count * total_bytes(model.inputs) == static_cast<int64_t>(samples[i].bytes.size()),
            "samples fill all input slices");
    for (const char* left : {".out", ".result", ".trace"}) fs::remove(built.folder / (model.name + left), ec);
    const f8board::Request request{static_cast<uint32_t>(samples[i].count), count_instructions ? 1u : 0u};
    files.push_back({model.name + ".in", bytes_of(request) + samples[i].bytes});
  }
  return write_files(built.folder, files);
}

constexpr const char* kQemu = "qemu-system-arm";

Result<Finished> start_qemu(const Built& built, const RunOptions& options, BlockTrace& blocks) {
  std::vector<std::string> arguments = {kQemu, "-machine", built.target.machine, "-kernel", "image.elf"};
  for (const char* argument : {"-display", "none", "-serial", "none", "-monitor", "none", "-nic", "none",
                               "-semihosting-config", "enable=on,target=native"})
    arguments.push_back(argument);
  if (options.count_instructions) arguments.insert(arguments.end(), {"-icount", "shift=0"});
  if (!options.count_stretches) return run_process(arguments, built.folder, options.time_limit_seconds);
  for (const std::string& argument : BlockTrace::qemu_arguments()) arguments.push_back(argument);
  return run_process(arguments, built.folder, options.time_limit_seconds,
                     [&](std::string_view part) { blocks.read(part); });
}

Result<> check_core(const Machine& machine, uint32_t cpuid) {
  const uint32_t part = cpuid >> 4 & 0xFFF;
  if (part == machine.part) return ok;
  return error("F8-0609", fmt::format("{} shows part number {:#x}, expected {:#x} ({})", machine.name, part,
                                      machine.part, machine.core));
}

Result<ModelRun> read_results(const Built& built, const Model& model, int64_t samples, const RunOptions& options) {
  F8_TRY(const f8board::Result result, read_record<f8board::Result>(built.folder / (model.name + ".result")));
  ModelRun run;
  run.isa.assign(result.isa, strnlen(result.isa, sizeof result.isa));
  run.stack_bytes = result.stack_bytes;
  if (options.count_instructions && samples > 0)
    run.instructions = instructions_of(result, machine_for(built.target).tick_ps);
  F8_TRY(run.outputs, read_file(built.folder / (model.name + ".out")));
  if (static_cast<int64_t>(run.outputs.size()) != samples * total_bytes(model.outputs))
    return error("F8-0608", fmt::format("the image left {} bytes of outputs, expected {}", run.outputs.size(),
                                        samples * total_bytes(model.outputs)));
  const fs::path trace = built.folder / (model.name + ".trace");
  if (fs::exists(trace)) {
    F8_TRY(run.trace, read_file(trace));
  }
  return run;
}

}  // namespace

Result<Run> run(const Built& built, const std::vector<Samples>& samples, const RunOptions& options) {
  F8_CHECK(write_requests(built, samples, options.count_instructions));
  BlockTrace blocks;
  F8_TRY(const Finished qemu, start_qemu(built, options, blocks));
  if (qemu.timed_out)
    return error("F8-0604", fmt::format("{}: no end after {} s", built.target.machine, options.time_limit_seconds));
  if (qemu.exit_code != f8board::kPassed) return failed(built, qemu);
  std::error_code ec;
  if (!fs::exists(built.folder / "report", ec)) return idle(kQemu, "run the image");
  F8_TRY(const f8board::Report report, read_record<f8board::Report>(built.folder / "report"));
  F8_CHECK(check_core(machine_for(built.target), report.cpuid));
  Run run;
  run.cpuid = report.cpuid;
  for (size_t i = 0; i < built.models.size(); ++i) {
    F8_TRY(ModelRun one, read_results(built, built.models[i], samples[i].count, options));
    run.models.push_back(std::move(one));
  }
  if (options.count_stretches) {
    const CoreTiming& core = timing_of(built.target.cpu);
    F8_TRY(const std::vector<Instruction> image, disassemble(built.folder / "image.elf", core.machine));
    F8_TRY(run.stretches, blocks.stretches(image, core));
  }
  return run;
}

}  // namespace fold8::board
