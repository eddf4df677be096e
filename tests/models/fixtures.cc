#include "fixtures.h"

#include <fmt/format.h>
#include <zip.h>

#include <cstdlib>
#include <memory>

#include "base/files.h"
#include "driver/npy.h"
#include "source_dir.h"

namespace fold8::models {
namespace {

namespace fs = std::filesystem;

fs::path folder() {
  const char* named = std::getenv("FOLD8_MODELS");
  return named != nullptr ? fs::path(named) : source_dir() / "../shared/models";
}

constexpr struct {
  const char* folder;
  const char* network;
} kNetworks[] = {{"mlperf", "ad"},  {"mlperf", "kws"},        {"mlperf", "ic"},
                 {"mlperf", "vww"}, {"digits", "digits_mlp"}, {"digits", "digits_cnn"}};

std::string entry_bytes(zip_t* zip, zip_uint64_t index) {
  zip_stat_t stat;
  require(zip_stat_index(zip, index, 0, &stat) == 0, "an entry of an open archive has a size");
  std::string bytes(stat.size, '\0');
  zip_file_t* file = zip_fopen_index(zip, index, 0);
  const bool whole = file != nullptr && zip_fread(file, bytes.data(), stat.size) == static_cast<zip_int64_t>(stat.size);
  if (file != nullptr) zip_fclose(file);
  return whole ? bytes : "";
}

}  // namespace

std::vector<Fixture> fixtures() {
  std::vector<Fixture> list;
  for (const auto& [where, network] : kNetworks)
    for (const char* variant : {"", "_nchw", "_xnn"}) {
      const std::string name = fmt::format("{}_int8{}", network, variant);
      const fs::path archive = folder() / where / (name + ".pt2");
      if (fs::exists(archive)) list.push_back({name, archive, folder() / where / fmt::format("{}_in.npy", network)});
    }
  return list;
}

Result<std::map<std::string, ir::Tensor>> read_npz(const fs::path& path) {
  const std::unique_ptr<zip_t, decltype(&zip_discard)> zip(zip_open(path.c_str(), ZIP_RDONLY, nullptr), zip_discard);
  if (zip == nullptr) return error("F8-0402", "is not a zip").in(path.string());
  const TempFolder scratch = *TempFolder::make();
  std::map<std::string, ir::Tensor> arrays;
  for (zip_int64_t i = 0; i < zip_get_num_entries(zip.get(), 0); ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const fs::path npy = scratch.path() / "array.npy";
    F8_CHECK(write_file(npy, entry_bytes(zip.get(), index)));
    F8_TRY(ir::Tensor tensor, driver::read_npy(npy));
    arrays[fs::path(zip_get_name(zip.get(), index, 0)).stem().string()] = std::move(tensor);
  }
  return arrays;
}

}  // namespace fold8::models
