// The scales in the streams of the ARMv7-M microkernels (device/isa/v7m/scale.h), with the proofs that they are exact.
#pragma once

#include "target/stream.h"

namespace fold8::target {

// Why a channel's accumulator or scale does not fit, or nothing. max_accumulator: what the microkernel's fields hold.
std::string v7m_objection(const Matrix& m, int64_t o, int64_t max_accumulator, int32_t fraction);

// multiplier, C, shift of a channel without objection.
void write_v7m_scale(std::vector<int32_t>& words, const Matrix& m, int64_t o, int32_t fraction);
void read_v7m_scale(Matrix& m, int64_t o, const int32_t* words, int32_t fraction);

}  // namespace fold8::target
