// Reads what torch.export.save writes: int8 programs after PT2E quantization, torch 2.9 to 2.15 (schema 8, raw
// weights). Door: read(). Guarantee: whatever bytes the file holds, the answer is a Program or diagnostics; nothing is
// unpickled.
//
// Diagnostics of this room:
//   F8-0101  the file cannot be opened, is no zip, or is cut short
//   F8-0102  a zip, but not a torch.export archive (TorchScript, a state_dict, something else)
//   F8-0103  written before torch 2.9, or a tensor stored as a pickle
//   F8-0104  schema version or byte order that is not read
//   F8-0105  an entry of the archive is missing, damaged, or absurdly large
//   F8-0106  JSON that does not parse, lacks a key, or has a value of the wrong kind
//   F8-0107  dtype or memory layout without a place in the program
//   F8-0108  sizes, strides or offset that do not fit the stored bytes, or are absurd
//   F8-0109  a symbolic dimension that --bind leaves open
//   F8-0110  an argument that is missing, unknown, or of the wrong kind (ir/import.cc reports this one too)
//   F8-0111  --bind of an unknown symbol, or outside its range
//   F8-0112  a symbolic expression that is not understood
//   F8-0113  an input or output that cannot be one of a program
//   F8-0114  state that the program changes: a buffer, a parameter, or the caller's input
//   F8-0115  an op that is not supported
//   F8-0116  a value that is used before its definition, or defined twice
//   F8-0117  results that differ from what the archive says of them
//   F8-0118  a value read after an in-place op changed it through a view
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "ir/op.h"

namespace fold8::pt2 {

struct Options {
  std::map<std::string, int64_t> bind;  // sizes of symbolic dimensions: --bind s77=1
};

// Reads the archive at `path` into a Program in torch form, through the import rows of `ops`. What is wrong with single
// nodes, inputs and outputs goes into `blockers`, and the Program has unread nodes (ir/unread.h) in their place, so
// that passes can tell what else is wrong; without `blockers` it is an error. Only constants that a node reads are
// loaded; they are named as in the state_dict. as_scalar_type, as_layout and as_memory_format reach the rows as the
// integers of torch's schema.py (int8 is 2).
Result<ir::Program> read(const std::filesystem::path& path, ir::OpTable ops, const Options& options,
                         Diags* blockers = nullptr);

}  // namespace fold8::pt2
