// The exported networks that FOLD8_MODELS names (a folder; ../shared/models beside the checkout otherwise), and what
// PyTorch made of them. Tests skip what is not there.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/program.h"

namespace fold8::models {

struct Fixture {
  std::string name;               // "kws_int8_nchw"
  std::filesystem::path archive;  // <folder>/<name>.pt2
  std::filesystem::path inputs;   // 16 float inputs of the network, in whatever variant

  std::filesystem::path beside(const std::string& suffix) const { return archive.parent_path() / (name + suffix); }
};

std::vector<Fixture> fixtures();

// The arrays of a .npz, stored or deflated.
Result<std::map<std::string, ir::Tensor>> read_npz(const std::filesystem::path& path);

}  // namespace fold8::models
