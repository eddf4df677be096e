// A call of a device function, as data: an op says what to call, emit/ writes it down.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ir/program.h"

namespace fold8::ir {

struct KernelInt {
  std::string name;  // of the field or parameter; written as a comment
  int64_t value = 0;
};

// An aggregate literal: f8k::LinearShape{1, 64, 32}, each field with its name as a comment.
struct KernelStruct {
  std::string type;
  std::vector<KernelInt> fields;
};

struct KernelFloat {
  std::string name;
  float value = 0;
};

// Address of a value: in the arena, or a constant table. ValueId::none is a null pointer.
struct KernelPointer {
  ValueId value = ValueId::none;
};

// The rows of images in the arena: all of them, or the ring that the plan gives the value.
struct KernelRows {
  ValueId value = ValueId::none;
  int64_t count = 0;  // of an image
  int64_t row_bytes = 0;
};

// This call's scratch in the arena, from its byte `from` on.
struct KernelScratch {
  int64_t from = 0;
};

using KernelArg = std::variant<KernelInt, KernelFloat, KernelStruct, KernelPointer, KernelRows, KernelScratch>;

// A function, or an object of constants that does the work: object.run(arena), or object.row(arena, image, row) in a
// stream. An object holds no addresses of the arena: rows and scratch are offsets in it.
struct KernelCall {
  std::string function;                    // "f8k::linear"; its first template argument is the Isa
  std::string header;                      // device header that defines it, relative to device/: "ops/linear.kernel.h"
  std::vector<std::string> template_args;  // after the Isa: "true", "3"
  std::vector<KernelArg> args;
  bool is_object = false;
};

}  // namespace fold8::ir
