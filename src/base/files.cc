// A set is written in three steps under the folder's lock: each changed file aside, in full; the old ones but the first
// out of the way; the new ones into place. The first replaces its old one in a single step, so that a set in which one
// file differs is never incomplete, and no old file is left when the second new one comes.
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/interrupt.h"

namespace fold8 {
namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path, int64_t max_bytes) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return error("F8-0001", "is a folder, expected a file").in(path.string());
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return error("F8-0001", fmt::format("cannot be opened for reading: {}", strerror(errno))).in(path.string());
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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Diag unwritable(const fs::path& path, int error_number) {
  return error("F8-0002", fmt::format("cannot be written: {}", strerror(error_number))).in(path.string());
}

Result<> write_bytes(const fs::path& path, int flags, const std::string& contents, const fs::path& named) {
  Descriptor file(open(path.c_str(), flags | O_WRONLY | O_CLOEXEC, 0666));
  if (file.get() < 0) return unwritable(named, errno);
  for (size_t done = 0; done < contents.size();) {
    const ssize_t count = write(file.get(), contents.data() + done, contents.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unwritable(named, errno);
    done += static_cast<size_t>(count);
  }
  return close(file.release()) == 0 ? Result<>(ok) : unwritable(named, errno);
}

// Whether the file is there and holds just that.
bool holds(const fs::path& path, const std::string& contents) {
  std::error_code ec;
  if (fs::file_size(path, ec) != contents.size() || ec) return false;
  const auto present = read_file(path);
  return present && *present == contents;
}

// A file on its way into its place.
struct Change {
  fs::path path;
  const std::string* contents = nullptr;

  fs::path beside(const char* what) const {
    return path.parent_path() / fmt::format(".{}.{}.{}", path.filename().string(), getpid(), what);
  }
  fs::path fresh() const { return beside(kFresh); }
  fs::path old() const { return beside(kOld); }
  static constexpr const char *kFresh = "fold8-new", *kOld = "fold8-old";
};

// What a killed process left. Only under the lock: no other process is at work then.
void sweep(const Change& change) {
  std::error_code ec;
  const std::string stem = "." + change.path.filename().string() + ".";
  for (const auto& entry : fs::directory_iterator(change.path.parent_path(), ec)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(stem) && (name.ends_with(Change::kFresh) || name.ends_with(Change::kOld)))
      fs::remove(entry.path(), ec);
  }
}

Result<std::vector<Change>> changes_of(const fs::path& folder, const std::vector<TextFile>& files) {
  std::vector<Change> changes;
  std::error_code ec;
  for (const TextFile& file : files) {
    fs::path path = folder / file.name;
    if (fs::is_symlink(path, ec) && fs::exists(path, ec)) path = fs::canonical(path, ec);
    if (fs::is_directory(path, ec)) return unwritable(folder / file.name, EISDIR);
    if (!holds(path, file.contents)) changes.push_back({path, &file.contents});
  }
  return changes;
}

Result<> stage(const std::vector<Change>& changes) {
  for (const Change& change : changes)
    F8_CHECK(write_bytes(change.fresh(), O_CREAT | O_TRUNC, *change.contents, change.path));
  return ok;
}

// Moves a file, or says why not. That there is none is no failure for what may be missing.
Result<> move(const fs::path& from, const fs::path& to, const fs::path& named, bool may_be_missing = false) {
  if (rename(from.c_str(), to.c_str()) == 0 || (may_be_missing && errno == ENOENT)) return ok;
  return unwritable(named, errno);
}

Result<> swap_in(const std::vector<Change>& changes) {
  for (const Change& change : changes)
    if (&change != &changes.front()) F8_CHECK(move(change.path, change.old(), change.path, true));
  for (const Change& change : changes) F8_CHECK(move(change.fresh(), change.path, change.path));
  return ok;
}

// After a failure: old files that were moved away come back, unless the first new one has its place already.
void tidy_up(const std::vector<Change>& changes, bool failed) {
  std::error_code ec;
  const bool restore = failed && !changes.empty() && fs::exists(changes.front().fresh(), ec);
  for (const Change& change : changes) {
    if (restore && fs::exists(change.old(), ec)) fs::rename(change.old(), change.path, ec);
    fs::remove(change.fresh(), ec);
    fs::remove(change.old(), ec);
  }
}

}  // namespace

Result<> write_files(const fs::path& folder, const std::vector<TextFile>& files) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return error("F8-0002", "folder cannot be made: " + ec.message()).in(folder.string());
  const Descriptor lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool locked = flock(lock.get(), LOCK_EX) == 0;  // NFS has no lock of folders
  const Uninterrupted whole;
  F8_TRY(const std::vector<Change> changes, changes_of(folder, files));
  if (locked)
    for (const Change& change : changes) sweep(change);
  Result<> written = stage(changes);
  if (written) written = swap_in(changes);
  tidy_up(changes, !written);
  return written;
}

Result<> write_file(const fs::path& path, const std::string& contents) {
  std::error_code ec;
  if (fs::exists(path, ec) && !fs::is_regular_file(path, ec) && !fs::is_directory(path, ec))
    return write_bytes(path, 0, contents, path);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  return write_files(folder, {{path.filename().string(), contents}});
}

struct TempFolder::Owned {
  fs::path path;
  OnInterrupt on_interrupt;

  explicit Owned(const fs::path& made) : path(made), on_interrupt([made] { remove(made); }) {}
  ~Owned() { remove(path); }

  static void remove(const fs::path& path) {
    std::error_code ec;
    constexpr int kTries = 5;  // this process, or one just killed, may still be writing there
    for (int i = 0; i < kTries && fs::exists(path, ec); ++i) fs::remove_all(path, ec);
  }
};

Result<TempFolder> TempFolder::make() {
  const char* const named = getenv("TMPDIR");
  const fs::path parent = named != nullptr && *named != '\0' ? named : "/tmp";
  std::string name = (parent / "fold8-XXXXXX").string();
  const Uninterrupted together;
  if (mkdtemp(name.data()) == nullptr)
    return error("F8-0002", fmt::format("no temporary folder can be made here: {}", strerror(errno)))
        .in(parent.string())
        .note("TMPDIR names the folder for temporary files");
  return TempFolder(std::make_unique<Owned>(fs::absolute(name)));
}

TempFolder::TempFolder(std::unique_ptr<Owned> owned) : owned_(std::move(owned)) {}
TempFolder::TempFolder(TempFolder&&) noexcept = default;
TempFolder& TempFolder::operator=(TempFolder&&) noexcept = default;
TempFolder::~TempFolder() = default;
const fs::path& TempFolder::path() const { return owned_->path; }

}  // namespace fold8
