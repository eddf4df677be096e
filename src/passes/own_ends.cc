#include <fmt/format.h>

#include <algorithm>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

// Makes output i a value of its own, with the bytes of the one it was.
void copy_output(Program& program, const CoreOps& core, size_t i) {
  const ValueId id = program.outputs[i];
  const ValueId result = program.add_value(program[id].name + ".copy", program.type(id));
  Node copy;
  copy.op = core.reshape;
  copy.name = program[result].name;
  copy.inputs = {id};
  copy.outputs = {result};
  copy.attrs.set("shape", program.type(id).shape);
  program.nodes.push_back(std::move(copy));
  program.outputs.set(i, result);
}

// Whether output i is also an input or an earlier output.
bool is_shared(const Program& program, size_t i) {
  const auto here = program.outputs.begin() + static_cast<std::ptrdiff_t>(i);
  return program.is_input(*here) || std::find(program.outputs.begin(), here, *here) != here;
}

}  // namespace

void copy_constant_outputs(Program& program, const CoreOps& core) {
  for (size_t i = 0; i < program.outputs.size(); ++i)
    if (program[program.outputs[i]].is_constant()) copy_output(program, core, i);
}

void own_ends(Program& program, const CoreOps& core, const CallerOwns& owns) {
  for (size_t i = 0; i < program.outputs.size() && owns.outputs; ++i) {
    if (is_shared(program, i) || program[program.outputs[i]].is_constant()) copy_output(program, core, i);
    program[program.outputs[i]].buffer = Buffer::caller;
  }
  for (ValueId id : program.inputs)
    if (owns.inputs) program[id].buffer = owns.consume_inputs ? Buffer::consumed : Buffer::caller;
}

}  // namespace fold8::passes
