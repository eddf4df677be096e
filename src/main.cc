#include "driver/cli.h"

int main(int argc, char** argv) { return fold8::driver::run_cli(argc, argv); }
