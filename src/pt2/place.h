// Where a node of the graph comes from, out of the metadata that torch.export keeps.
#pragma once

#include <string>

#include "base/diag.h"
#include "pt2/json.h"

namespace fold8::pt2 {

// `metadata` may be null or anything at all: what cannot be read stays empty. Files are named without their folders,
// which belong to the machine the model was exported on.
Place place_of(const Json* metadata, std::string_view node);

}  // namespace fold8::pt2
