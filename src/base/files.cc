#include "base/files.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

namespace fold8 {
namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path, int64_t max_bytes) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return error("F8-0001", "is a folder, expected a file").in(path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) return error("F8-0001", "cannot be opened for reading").in(path.string());
  const auto too_long = [&] {
    return error("F8-0001", fmt::format("is longer than the {} MB that are read", max_bytes >> 20)).in(path.string());
  };
  const auto size = fs::file_size(path, ec);  // of a device or pipe: an error, or nothing like its length
  if (!ec && size > static_cast<uint64_t>(max_bytes)) return too_long();
  std::string bytes;
  if (!ec) bytes.reserve(size);
  constexpr size_t kChunkBytes = size_t{1} << 20;
  std::string chunk(kChunkBytes, '\0');
  while (in.read(chunk.data(), kChunkBytes), in.gcount() > 0) {
    bytes.append(chunk, 0, static_cast<size_t>(in.gcount()));
    if (static_cast<int64_t>(bytes.size()) > max_bytes) return too_long();
  }
  if (in.bad()) return error("F8-0001", "cannot be read").in(path.string());
  return bytes;
}

namespace {

fs::path aside(const fs::path& path) { return path.string() + fmt::format(".tmp{}", getpid()); }

bool write_bytes(const fs::path& path, const std::string& contents) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  out.close();
  return out.good();
}

}  // namespace

Result<> write_files(const fs::path& folder, const std::vector<TextFile>& files) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return error("F8-0002", "folder cannot be made: " + ec.message()).in(folder.string());
  auto discard = [&] {
    for (const TextFile& file : files) fs::remove(aside(folder / file.name), ec);
  };
  for (const TextFile& file : files) {
    if (write_bytes(aside(folder / file.name), file.contents)) continue;
    discard();
    return error("F8-0002", "cannot be written").in((folder / file.name).string());
  }
  for (const TextFile& file : files) {
    fs::rename(aside(folder / file.name), folder / file.name, ec);
    if (!ec) continue;
    const std::string why = ec.message();
    discard();
    return error("F8-0002", "cannot be written: " + why).in((folder / file.name).string());
  }
  return ok;
}

Result<> write_file(const fs::path& path, const std::string& contents) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  return write_files(folder, {{path.filename().string(), contents}});
}

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "fold8-XXXXXX").string();
  require(mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ec;
  fs::remove_all(path_, ec);
}

}  // namespace fold8
