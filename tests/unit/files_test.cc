// Sets of files: whole whatever happens, unchanged files untouched, nothing left aside.
#include "base/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "base/interrupt.h"

namespace fold8 {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::vector<TextFile> set_of(char which) {
  const std::string text(200'000, which);
  return {{"net.h", text}, {"net.cpp", text}, {"net_kernels.h", text}};
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

// The sets that the files that are there belong to; '?' for a file that is not whole.
std::set<char> sets_in(const fs::path& folder) {
  std::set<char> found;
  for (const TextFile& file : set_of('a')) {
    const auto text = read_file(folder / file.name);
    if (!text) continue;
    found.insert(text->size() == 200'000 && text->find_first_not_of(text->at(0)) == std::string::npos ? text->at(0)
                                                                                                      : '?');
  }
  return found;
}

template <class Work>
pid_t child(const Work& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  return pid;
}

TEST(Files, AKilledWriterNeverMixesSets) {
  const TempFolder folder = *TempFolder::make();
  for (int kill_after = 0; kill_after < 150; ++kill_after) {
    const pid_t writer = child([&] {
      for (int i = 0;; ++i) (void)write_files(folder.path(), set_of(i % 2 == 0 ? 'a' : 'b'));
    });
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 37 * kill_after));
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    const std::set<char> sets = sets_in(folder.path());
    ASSERT_LE(sets.size(), 1u) << "mixed when killed after step " << kill_after;
    ASSERT_FALSE(sets.contains('?'));
  }
  ASSERT_TRUE(write_files(folder.path(), set_of('c')));
  EXPECT_EQ(sets_in(folder.path()), std::set<char>{'c'});
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"net.h", "net.cpp", "net_kernels.h"}));
}

TEST(Files, TwoWritersLeaveTheSetOfOne) {
  const TempFolder folder = *TempFolder::make();
  for (int round = 0; round < 100; ++round) {
    pid_t writers[2];
    for (int i = 0; i < 2; ++i) writers[i] = child([&] { _exit(write_files(folder.path(), set_of("ab"[i])) ? 0 : 1); });
    for (const pid_t writer : writers) {
      int status = 1;
      waitpid(writer, &status, 0);
      EXPECT_EQ(status, 0);
    }
    const std::set<char> sets = sets_in(folder.path());
    ASSERT_EQ(sets.size(), 1u);
    ASSERT_EQ(names_in(folder.path()).size(), 3u);
  }
}

TEST(Files, UnchangedFilesAndOthersAreLeftAlone) {
  const TempFolder folder = *TempFolder::make();
  ASSERT_TRUE(write_files(folder.path(), {{"a", "1"}, {"b", "1"}}));
  ASSERT_TRUE(write_file(folder.path() / "own.c", "mine"));
  const auto old = fs::file_time_type::clock::now() - 1h;
  for (const char* name : {"a", "b", "own.c"}) fs::last_write_time(folder.path() / name, old);
  ASSERT_TRUE(write_files(folder.path(), {{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(fs::last_write_time(folder.path() / "a"), old);
  EXPECT_GT(fs::last_write_time(folder.path() / "b"), old);
  EXPECT_EQ(fs::last_write_time(folder.path() / "own.c"), old);
  EXPECT_EQ(*read_file(folder.path() / "b"), "2");
}

TEST(Files, AFailureLeavesTheOldSet) {
  const TempFolder folder = *TempFolder::make();
  ASSERT_TRUE(write_files(folder.path(), {{"a", "1"}, {"b", "1"}}));
  fs::create_directory(folder.path() / "c");
  const auto written = write_files(folder.path(), {{"a", "2"}, {"b", "2"}, {"c", "2"}});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.errors()[0].code, "F8-0002");
  EXPECT_NE(format(written.errors()).find("Is a directory"), std::string::npos);
  EXPECT_EQ(*read_file(folder.path() / "a") + *read_file(folder.path() / "b"), "11");
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"a", "b", "c"}));
}

TEST(Files, DevicesAndLinksAreWrittenThrough) {
  const TempFolder folder = *TempFolder::make();
  ASSERT_TRUE(write_file("/dev/null", "gone"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const auto full = write_file("/dev/full", "more than fits");
  ASSERT_FALSE(full);
  EXPECT_NE(format(full.errors()).find("No space left"), std::string::npos);
  ASSERT_TRUE(write_file(folder.path() / "file", "1"));
  fs::create_symlink("file", folder.path() / "link");
  ASSERT_TRUE(write_file(folder.path() / "link", "2"));
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_EQ(*read_file(folder.path() / "file"), "2");
}

TEST(Files, ATemporaryFolderThatCannotBeMadeSaysWhy) {
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", "/no/such/folder", 1);
  const auto missing = TempFolder::make();
  setenv("TMPDIR", "/proc", 1);
  const auto refused = TempFolder::make();
  kept.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", kept.c_str(), 1);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.errors()[0].code, "F8-0002");
  EXPECT_NE(format(missing.errors()).find("No such file or directory"), std::string::npos);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.errors()[0].code, "F8-0002");
}

TEST(Files, ASignalUndoesTheNewestFirstAndEndsTheProcess) {
  std::string name = testing::TempDir() + "fold8-signal-XXXXXX";  // no TempFolder: a child would undo that as well
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const fs::path folder = name;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const pid_t pid = child([&] {
      end_cleanly_on_signals();
      const TempFolder inner = *TempFolder::make();
      const OnInterrupt first([&] { fs::rename(folder / "newer", folder / "older"); });
      const OnInterrupt second([&] { (void)write_file(folder / "newer", inner.path().string()); });
      (void)write_file(folder / "ready", "");
      for (;;) pause();
    });
    for (int i = 0; i < 2000 && !fs::exists(folder / "ready"); ++i) std::this_thread::sleep_for(1ms);
    kill(pid, number);
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number);
    const auto inner = read_file(folder / "older");
    ASSERT_TRUE(inner);
    EXPECT_FALSE(fs::exists(*inner));
    fs::remove(folder / "ready");
    fs::remove(folder / "older");
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fold8
