// All cases as one image for a target: starting a board costs more than running a case.
// Doors: compile_all() and emit_all() make it, on_board() and on_host() run it, both against the interpreter's outputs.
#pragma once

#include <string>
#include <vector>

#include "backend/compile.h"
#include "board/board.h"
#include "check.h"

namespace fold8::f8 {

struct Entry {
  const Prepared* prepared = nullptr;
  backend::Compiled compiled;
};

struct Batch {
  target::Target target;
  target::CompileOptions options;
  std::vector<Entry> entries;
  std::vector<TextFile> files;  // from here on, models[i] is entries[i]
  std::vector<board::Model> models;
  std::vector<board::Samples> samples;
};

// `test` is null where the image as a whole is to blame: no case of it counts as run.
struct Failure {
  const Case* test = nullptr;
  std::string what;
};

// Compiles each case for the target and demands that the interpreter finds the same in what was packed and placed.
Batch compile_all(const std::vector<Prepared>& cases, const target::Target& target, const target::CompileOptions& options,
                  std::vector<Failure>& failures);
void emit_all(Batch& batch);

std::vector<Failure> on_board(const Batch& batch, const board::Toolchain& toolchain = {});
// Emitted code that is portable C++, as a program of this machine under sanitizers.
std::vector<Failure> on_host(const Batch& batch);

}  // namespace fold8::f8
