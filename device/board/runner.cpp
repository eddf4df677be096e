// Runs every model of an image on every sample of its input file, by semihosting; protocol.h names the files.
// Door: board_main(), from reset. Never returns: the image ends with a Report and its status as exit code.
// Calls nothing of any library, so that library code in the image is there for the models (loops stay loops: the tool
// builds this file with -fno-tree-loop-distribute-patterns).
#include "image.h"
#include "protocol.h"

extern "C" {
extern uint32_t board_stack[];
extern uint32_t board_stack_top[];
volatile uint32_t board_wraps = 0;
int32_t board_semihost(uint32_t operation, const void* arguments);
void board_snapshot(f8board::Snapshot* snapshot);
[[noreturn]] void board_main();
[[noreturn]] void board_on_fault(const uint32_t* frame);
void fold8_trace(uint32_t node, const void* data, uint32_t bytes);
void fold8_mark();
}

namespace f8board {
namespace {

constexpr uint32_t kPoison = 0xA5A5A5A5;
constexpr uint8_t kGuard = 0x5A;
constexpr uint32_t kStackPaint = 0xC0DEC0DE;

struct Reg {
  static volatile uint32_t& at(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }
};

Report report;
Result result;
const Model* current = nullptr;
int32_t trace_file = -1;
bool tracing = true;

// --- host files -----------------------------------------------------------------------------------------------------

enum Semihosting : uint32_t { kOpen = 0x01, kClose = 0x02, kWrite = 0x05, kRead = 0x06, kExitExtended = 0x20 };
enum OpenMode : uint32_t { kReadBinary = 1, kWriteBinary = 5 };

int32_t open_file(const char* path, OpenMode mode) {
  uint32_t length = 0;
  while (path[length] != 0) ++length;
  const uint32_t arguments[] = {static_cast<uint32_t>(reinterpret_cast<uintptr_t>(path)), mode, length};
  return board_semihost(kOpen, arguments);
}

// Both return whether all bytes went through.
bool transfer(Semihosting operation, int32_t file, const void* bytes, uint32_t count) {
  const uint32_t arguments[] = {static_cast<uint32_t>(file), static_cast<uint32_t>(reinterpret_cast<uintptr_t>(bytes)),
                                count};
  return count == 0 || board_semihost(operation, arguments) == 0;
}
void close_file(int32_t file) { board_semihost(kClose, &file); }

[[noreturn]] void finish(Status status) {
  report.status = status;
  const int32_t file = open_file("report", kWriteBinary);
  transfer(kWrite, file, &report, sizeof report);
  const uint32_t arguments[] = {0x20026 /* ADP_Stopped_ApplicationExit */, status};
  for (;;) board_semihost(kExitExtended, arguments);
}

int32_t open_or_finish(const char* path, OpenMode mode) {
  const int32_t file = open_file(path, mode);
  if (file < 0) finish(kFileError);
  return file;
}
void read(int32_t file, void* bytes, uint32_t count) {
  if (!transfer(kRead, file, bytes, count)) finish(kFileError);
}
void write(int32_t file, const void* bytes, uint32_t count) {
  if (!transfer(kWrite, file, bytes, count)) finish(kFileError);
}

// --- one sample -----------------------------------------------------------------------------------------------------

uint8_t* arena_of(const Model& model) { return arena_memory + 2 * kMaxAlign + model.arena_align; }

// Calls each(offset from the arena's start) for the guard bytes on both sides of every memory.
template <class Each>
void for_guards(const Model& model, Each each) {
  for (uint32_t m = 0; m < model.memory_count; ++m) {
    const auto begin = static_cast<int32_t>(model.memories[m].offset);
    const auto end = begin + static_cast<int32_t>(model.memories[m].bytes);
    for (int32_t i = 1; i <= static_cast<int32_t>(kGuardBytes); ++i) each(begin - i);
    for (int32_t i = 0; i < static_cast<int32_t>(kGuardBytes); ++i) each(end + i);
  }
}

void prepare_arena(const Model& model, int32_t in) {
  uint8_t* arena = arena_of(model);
  const Slice& last = model.memories[model.memory_count - 1];
  auto* words = reinterpret_cast<uint32_t*>(arena_memory);
  for (uint32_t i = 0; i < (last.offset + last.bytes + kArenaSlack) / 4; ++i) words[i] = kPoison;
  for_guards(model, [&](int32_t offset) { arena[offset] = kGuard; });
  for (uint32_t i = 0; i < model.input_count; ++i) read(in, arena + model.inputs[i].offset, model.inputs[i].bytes);
}

void check_guards(const Model& model) {
  const uint8_t* arena = arena_of(model);
  for_guards(model, [&](int32_t offset) {
    if (arena[offset] == kGuard) return;
    report.address = static_cast<uint32_t>(offset);
    finish(kArenaOverwritten);
  });
}

// FNV-1a.
uint32_t hash_of(const uint8_t* bytes, uint32_t count) {
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < count; ++i) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

// Of all inputs that are the caller's to keep.
uint32_t kept_hash(const Model& model) {
  uint32_t hash = 0;
  for (uint32_t i = 0; i < model.input_count; ++i)
    if (model.inputs[i].kept != 0)
      hash = hash * 31 + hash_of(arena_of(model) + model.inputs[i].offset, model.inputs[i].bytes);
  return hash;
}

// Bytes of stack that invoke used. Not inlined: its own frame must be the last before invoke's.
[[gnu::noinline]] uint32_t invoke_on_painted_stack(const Model& model) {
  volatile uint32_t* top;
  asm volatile("mov %0, sp" : "=r"(top));
  for (volatile uint32_t* p = board_stack; p < top; ++p) *p = kStackPaint;
  model.invoke(arena_of(model));
  volatile uint32_t* deepest = board_stack;
  while (deepest < top && *deepest == kStackPaint) ++deepest;
  if (deepest == board_stack) finish(kStackOverflow);
  return static_cast<uint32_t>(top - deepest) * 4;
}

// --- counting instructions ------------------------------------------------------------------------------------------

void empty_invoke(void*) {}

// Not inlined: both calls of it must cost the same.
[[gnu::noinline]] void measure(void (*invoke)(void*), void* arena, Snapshot* before, Snapshot* after) {
  constexpr uint32_t kControl = 0xE000E010, kReload = 0xE000E014, kValue = 0xE000E018;
  Reg::at(kControl) = 0;
  Reg::at(kReload) = kPeriod - 1;
  Reg::at(kValue) = 0;
  board_wraps = 0;
  Reg::at(kControl) = 7;  // on, interrupting, at the processor's clock
  board_snapshot(before);
  invoke(arena);
  board_snapshot(after);
  Reg::at(kControl) = 0;
}

void count_instructions(const Model& model) {
  const int32_t in = open_or_finish(model.in_path, kReadBinary);
  Request request;
  read(in, &request, sizeof request);
  prepare_arena(model, in);
  close_file(in);
  tracing = false;
  measure(empty_invoke, arena_of(model), &result.empty_before, &result.empty_after);
  measure(model.invoke, arena_of(model), &result.before, &result.after);
  tracing = true;
}

// --- one model ------------------------------------------------------------------------------------------------------

void run_samples(const Model& model, uint32_t samples, int32_t in) {
  const int32_t out = open_or_finish(model.out_path, kWriteBinary);
  for (report.sample = 0; report.sample < samples; ++report.sample) {
    prepare_arena(model, in);
    const uint32_t kept = kept_hash(model);
    const uint32_t stack_bytes = invoke_on_painted_stack(model);
    if (stack_bytes > result.stack_bytes) result.stack_bytes = stack_bytes;
    check_guards(model);
    if (kept_hash(model) != kept) finish(kInputOverwritten);
    for (uint32_t i = 0; i < model.output_count; ++i)
      write(out, arena_of(model) + model.outputs[i].offset, model.outputs[i].bytes);
  }
  close_file(out);
}

void run_model(const Model& model) {
  current = &model;
  trace_file = -1;
  result.stack_bytes = 0;
  const char* isa = model.isa();
  for (char& c : result.isa) c = *isa == 0 ? '\0' : *isa++;
  const int32_t in = open_or_finish(model.in_path, kReadBinary);
  Request request;
  read(in, &request, sizeof request);
  run_samples(model, request.samples, in);
  close_file(in);
  report.sample = 0;
  if (request.count_instructions != 0 && request.samples != 0) count_instructions(model);
  const int32_t file = open_or_finish(model.result_path, kWriteBinary);
  write(file, &result, sizeof result);
  close_file(file);
  if (trace_file >= 0) close_file(trace_file);
}

// Cores without unaligned access stand on a board that has it: make the board refuse it too.
void refuse_unaligned_access() {
#ifndef __ARM_FEATURE_UNALIGNED
  Reg::at(0xE000ED14) |= 1u << 3;  // CCR.UNALIGN_TRP
  asm volatile("dsb\n isb" ::: "memory");
#endif
}

}  // namespace
}  // namespace f8board

using namespace f8board;

void board_main() {
  *board_stack = kStackPaint;
  refuse_unaligned_access();
  report.cpuid = Reg::at(0xE000ED00);
  for (report.model = 0; report.model < kModelCount; ++report.model) run_model(kModels[report.model]);
  finish(kPassed);
}

void board_on_fault(const uint32_t* frame) {
  uint32_t ipsr;
  asm volatile("mrs %0, ipsr" : "=r"(ipsr));
  report.exception = ipsr;
  report.cfsr = Reg::at(0xE000ED28);
  report.hfsr = Reg::at(0xE000ED2C);
  const bool on_stack = frame >= board_stack && frame < board_stack_top;
  if (!on_stack || *board_stack != kStackPaint) finish(kStackOverflow);
  report.lr = frame[5];
  report.pc = frame[6];
  finish(kFault);
}

// Cuts a trace of the image: its address is what counts. Not inlined, and not seen to do nothing.
[[gnu::noinline]] void fold8_mark() { asm volatile(""); }

// A record of one value, for the tool to compare: {node, bytes, data}.
void fold8_trace(uint32_t node, const void* data, uint32_t bytes) {
  if (!tracing) return;
  if (trace_file < 0) trace_file = open_or_finish(current->trace_path, kWriteBinary);
  const uint32_t header[] = {node, bytes};
  write(trace_file, header, sizeof header);
  write(trace_file, data, bytes);
}
