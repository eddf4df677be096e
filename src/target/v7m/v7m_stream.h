// The streams of the ARMv7-M microkernels: format in device/isa/v7m/stream.h.
#pragma once

#include "target/stream.h"

namespace fold8::target {

extern const StreamFormat kV7mStreams;

}  // namespace fold8::target
