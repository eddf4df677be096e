// The streams of the ARMv6-M microkernels: format in device/isa/v6m/stream.h.
#pragma once

#include "target/stream.h"

namespace fold8::target {

extern const StreamFormat kV6mStreams;

}  // namespace fold8::target
