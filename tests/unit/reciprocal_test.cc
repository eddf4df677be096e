// The division that a core without one does in multiplications, for every divisor.
#include <gtest/gtest.h>

#include "isa/v6m/isa.h"

namespace fold8 {
namespace {

TEST(Reciprocal, IsExactForEveryDivisor) {
  for (uint32_t h = 1u << 15; h <= 1u << 16; ++h) ASSERT_EQ(f8k::V6m::reciprocal(h), f8k::V7m::reciprocal(h)) << h;
}

}  // namespace
}  // namespace fold8
