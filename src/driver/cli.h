// The command line. Exit codes: 0 done, 1 the input or the proof failed, 2 usage.
#pragma once

namespace fold8::driver {

int run_cli(int argc, char** argv);

}  // namespace fold8::driver
