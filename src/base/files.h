// Files, read whole and written whole: a reader never sees half of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace fold8 {

struct TextFile {
  std::string name;      // relative to the folder it is written to
  std::string contents;  // bytes
};

// The whole file, unless it is longer than `max_bytes`: F8-0001, and no more than that was held.
inline constexpr int64_t kMaxFileBytes = int64_t{4} << 30;
Result<std::string> read_file(const std::filesystem::path& path, int64_t max_bytes = kMaxFileBytes);

// Writes every file aside (in `folder`, made if missing), then renames them into place. On an error nothing of
// `files` has been put in place unless a rename itself failed.
Result<> write_files(const std::filesystem::path& folder, const std::vector<TextFile>& files);
Result<> write_file(const std::filesystem::path& path, const std::string& contents);

// A fresh folder below the system's temporary one, removed with all it holds when this goes out of scope.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace fold8
