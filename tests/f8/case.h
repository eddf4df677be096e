// The cases of a .f8 file: a program, what it is given, and what must come of it.
//
//   ; test: NAME [flags]          a case begins; flags: sweep, float_ends
//   ; for: I in 1..9 16           the case once for each value: $I is replaced everywhere
//   ; any comment                 ... and $(I*O) by the product, $(I of 1 2 3) by I words, the list over and over
//   program form=... { ... }
//   ; run: IN... == OUT...        for each input [1 2 5..9], seed(s) or seed(s,lo,hi); a list for each output
//   ; run: IN... ~= OUT...        ... which may be one step off (recorded from PyTorch)
//   ; run: IN...                  outputs are what the interpreter says, on every target
//   ; opt: PASS                   runs this pass alone on the program; some take words:
//          own_ends [inputs] [outputs] [consume]      patch ROWSxCOLUMNS NODE, the last of the stage
//   ; expect: LINE                a line of the program after it (or, without opt, in int8 form), in the order given
//   ; absent: TEXT                no line of that program holds this
//   ; report: TEXT                what the passes report to the user, all of it
//   ; error: TEXT                 the diagnostics of compiling the program (or of the pass), all of them
//
// A case of neither run lines nor errors, or with the flag sweep, runs on generated inputs. A torch program is lowered
// with int8 ends, or float ends under the flag float_ends; an int8 program is taken as it is. Inputs are written in the
// exported order of dimensions (NCHW), whatever order the compiled model wants them in.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace fold8::f8 {

// Written-out numbers or seeded ones (ir::seeded): as many as the tensor has elements.
struct Literal {
  std::vector<double> numbers;
  bool is_seed = false;
  uint64_t seed = 0;
  int64_t lo = -128;
  int64_t hi = 127;
};

struct Run {
  int line = 0;
  std::vector<Literal> inputs;
  std::vector<Literal> outputs;
  bool one_step_off = false;
};

struct Case {
  std::filesystem::path file;
  int line = 0;
  std::string name;  // with the values of its parameters: "tails I=3"
  std::set<std::string> flags;
  std::string program;  // begins with as many newlines as the file has lines before it: diagnostics then name its lines
  std::vector<Run> runs;
  std::string pass;
  std::vector<std::string> expects, absents, reports, errors;

  bool has(const std::string& flag) const { return flags.contains(flag); }
};

// Every case of a file, those with parameters once for each combination of values.
Result<std::vector<Case>> read_cases(const std::filesystem::path& file);

}  // namespace fold8::f8
