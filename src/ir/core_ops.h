// The ops that stages look for or make themselves, by name: the one exception to the layout law. Each is a node kind of
// the dialect rather than arithmetic; whatever else a stage asks of an op is a fact of its OpDef. ops/ fills it.
#pragma once

#include "ir/op.h"

namespace fold8::ir {

struct CoreOps {
  const OpDef* quantize = nullptr;    // f32 -> q8
  const OpDef* dequantize = nullptr;  // q8 -> f32
  const OpDef* requantize = nullptr;  // q8 -> q8 with other parameters
  const OpDef* clamp = nullptr;       // attrs min, max
  const OpDef* reshape = nullptr;     // attr shape
  const OpDef* permute = nullptr;     // attr dims
  const OpDef* slice = nullptr;       // attrs dim, start, end, step
  const OpDef* cat = nullptr;         // attr dim
  const OpDef* lut = nullptr;         // operands x and table, or a function of reals that has no other integer form
};

}  // namespace fold8::ir
