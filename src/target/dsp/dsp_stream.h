// The streams of the DSP microkernels: formats in device/isa/dsp/stream.h and depthwise.h.
#pragma once

#include "target/stream.h"

namespace fold8::target {

extern const StreamFormat kDspStreams;

}  // namespace fold8::target
