// What compilers call in code that is built with a user's flags: for stack canaries, traced calls, and coverage. A broken
// canary is a fault; the rest does nothing, as nobody here reads what it would count.
#include <stdint.h>

extern "C" {

uintptr_t __stack_chk_guard = 0xC0DECA5E;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

void __cyg_profile_func_enter(void*, void*) {}
void __cyg_profile_func_exit(void*, void*) {}

void __gcov_init(void*) {}
void __gcov_exit() {}
void __gcov_merge_add(void*, unsigned) {}
}
