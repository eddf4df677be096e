/* The whole firmware: vectors, one inference on features that a loop makes, the words' scores to the debugger. There is no
   initialised data, and the arena needs no zeros, so reset has nothing to copy. */
#include <stdint.h>

#include "net.h"

static NET_ARENA(arena);

static int semihost(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void print_number(int32_t x) {
  static const int16_t kPowers[] = {100, 10, 1};
  char text[8], *to = text;
  *to++ = ' ';
  *to++ = x < 0 ? '-' : '+';
  if (x < 0) x = -x;
  for (int i = 0; i < 3; ++i) {
    *to = '0';
    for (; x >= kPowers[i]; x -= kPowers[i]) ++*to;
    ++to;
  }
  *to = 0;
  semihost(0x04, text); /* SYS_WRITE0 */
}

void reset(void) {
  int8_t* x = net_input(arena);
  for (int32_t i = 0; i < NET_INPUT_BYTES; ++i) x[i] = (int8_t)((i * 37 & 255) - 128);
  net_invoke(arena);
  const int8_t* y = net_output(arena);
  for (int32_t i = 0; i < NET_OUTPUT_BYTES; ++i) print_number(y[i]);
  semihost(0x04, "\n");
  semihost(0x18, (const void*)0x20026); /* SYS_EXIT, application exit */
  for (;;) {
  }
}

static void fault(void) {
  for (;;) {
  }
}

extern uint32_t stack_top;
__attribute__((section(".vectors"), used)) static const void* const vectors[16] = {&stack_top, reset, fault, fault};
