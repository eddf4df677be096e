// The streams of the MVE microkernels: format in device/isa/mve/stream.h.
#pragma once

#include "target/stream.h"

namespace fold8::target {

extern const StreamFormat kMveStreams;

}  // namespace fold8::target
