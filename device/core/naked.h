// Functions that are assembly alone: [[F8K_NAKED]] inline ... Compilers put code of their own even into those, under
// -fstack-protector-all, -finstrument-functions, -pg, --coverage and -fprofile-generate; the attributes forbid it. GCC
// has one against stack canaries from version 11 on, before it an option by function.
#pragma once

#undef F8K_NAKED
#undef F8K_NO_CANARY
#if __has_cpp_attribute(gnu::no_stack_protector)
#define F8K_NO_CANARY gnu::no_stack_protector
#elif defined(__clang__)
#define F8K_NO_CANARY clang::no_stack_protector
#else
#define F8K_NO_CANARY gnu::optimize("no-stack-protector")
#endif
#define F8K_NAKED gnu::naked, gnu::noinline, gnu::no_instrument_function, gnu::no_profile_instrument_function, F8K_NO_CANARY
