// ChannelHooks of ops whose weight is [outs, ins / groups, taps...]: linear (groups 1, no taps) and convolutions.
#pragma once

#include "ir/op.h"

namespace fold8::ops {

extern const ir::ChannelHooks kWeightedChannels;

}  // namespace fold8::ops
