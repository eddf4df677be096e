// Compilers and simulators that misbehave: scripts put first on PATH.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "board/board.h"
#include "board/process.h"

namespace fold8::board {
namespace {

namespace fs = std::filesystem;

// Scripts that stand in for programs while this lives.
class FakeTools : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::getenv("PATH");
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  void TearDown() override { setenv("PATH", path_.c_str(), 1); }

  void script(const std::string& name, const std::string& text) {
    const fs::path file = folder_.path() / name;
    ASSERT_TRUE(write_file(file, "#!/bin/sh\n" + text + "\n"));
    fs::permissions(file, fs::perms::owner_all);
  }

  // A model that was built, for a QEMU that does not look at it.
  Result<board::Run> run_image(int64_t time_limit_seconds = 60) {
    const Model model{.name = "m", .arena_bytes = 8, .inputs = {{0, 4}}, .outputs = {{4, 4}}};
    const Built built{
        .target = target::all_targets()[0], .models = {model}, .folder = work_.path(), .sources = {}, .sizes = {}};
    return run(built, {{1, "abcd"}}, {.time_limit_seconds = time_limit_seconds});
  }

  const TempFolder folder_ = *TempFolder::make(), work_ = *TempFolder::make();

 private:
  std::string path_;
};

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void expect_error(const auto& result, const std::string& code, const std::string& text) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.errors()[0].code, code);
  EXPECT_NE(format(result.errors()).find(text), std::string::npos) << format(result.errors());
}

TEST_F(FakeTools, OneThatClosesItsOutputAndLivesEndsAtTheLimit) {
  script("tool", "exec >&- 2>&-; sleep 100");
  const auto start = Clock::now();
  const auto finished = run_process({"tool"}, work_.path(), 1);
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->timed_out);
  EXPECT_LT(seconds_since(start), 10);
}

TEST_F(FakeTools, AGrandchildThatKeepsThePipeIsNotWaitedFor) {
  script("tool", "echo before; sleep 100 & exit 3");
  const auto start = Clock::now();
  const auto finished = run_process({"tool"}, work_.path(), 60);
  ASSERT_TRUE(finished);
  EXPECT_FALSE(finished->timed_out);
  EXPECT_EQ(finished->exit_code, 3);
  EXPECT_EQ(finished->output, "before\n");
  EXPECT_LT(seconds_since(start), 10);
}

TEST_F(FakeTools, TheLimitEndsWhatAToolStarted) {
  script("tool", "sleep 100 & echo $! > pid; wait");
  const auto finished = run_process({"tool"}, work_.path(), 1);
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->timed_out);
  const auto pid = read_file(work_.path() / "pid");
  ASSERT_TRUE(pid);
  const std::string stat = "/proc/" + std::to_string(std::stoi(*pid)) + "/stat";
  const auto lives = [&] {  // a killed process is there until it next runs
    const auto state = read_file(stat);
    return state && state->find(") Z ") == std::string::npos;
  };
  for (int tries = 0; tries < 100 && lives(); ++tries) usleep(100'000);
  EXPECT_FALSE(lives());
}

TEST_F(FakeTools, AllThatIsPrintedIsKeptInOrder) {
  script("tool", "i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i + 1)); done");
  std::string text;
  const auto finished = run_process({"tool"}, work_.path(), 60, [&](std::string_view part) { text.append(part); });
  ASSERT_TRUE(finished);
  std::string want;
  for (int i = 0; i < 30000; ++i) want += std::to_string(i) + "\n";
  EXPECT_EQ(text, want);
}

TEST_F(FakeTools, AQemuThatDoesNothingIsNamed) {
  script("qemu-system-arm", "exit 0");
  expect_error(run_image(), "F8-0612", "qemu-system-arm ended with exit code 0 and did not run the image");
}

TEST_F(FakeTools, AQemuThatFailsIsQuoted) {
  script("qemu-system-arm", "echo no such machine; exit 1");
  expect_error(run_image(), "F8-0608", "no such machine");
}

TEST_F(FakeTools, AQemuThatHangsWithItsOutputClosedEnds) {
  script("qemu-system-arm", "exec >&- 2>&-; sleep 100");
  expect_error(run_image(1), "F8-0604", "no end after 1 s");
}

Result<Built> build_something(const fs::path& folder) {
  const TextFile source{"m.cpp", "extern \"C\" { void m_invoke(void*) {} const char* m_isa() { return \"\"; } }\n"};
  const TextFile header{"m.h", "extern \"C\" void m_invoke(void* arena); extern \"C\" const char* m_isa(void);\n"};
  return build(
      {.target = target::all_targets()[0], .files = {header, source}, .models = {{.name = "m", .arena_bytes = 8}}},
      folder);
}

TEST_F(FakeTools, ACompilerThatDoesNothingIsNamed) {
  script("arm-none-eabi-g++", "exit 0");
  expect_error(build_something(work_.path()), "F8-0612",
               "arm-none-eabi-g++ ended with exit code 0 and did not write m.cpp.o");
}

TEST_F(FakeTools, ALinkerThatDoesNothingIsNamed) {
  script("arm-none-eabi-g++",
         "for a; do [ \"$previous\" = -o ] && out=$a; previous=$a; done\n"
         "case $out in *.o) : > \"$out\";; esac");
  expect_error(build_something(work_.path()), "F8-0612", "did not write image.elf");
  script("arm-none-eabi-g++",
         "for a; do [ \"$previous\" = -o ] && out=$a; previous=$a; done\n"
         ": > \"$out\"; : > image.map");
  expect_error(build_something(work_.path()), "F8-0612", "did not write the linker's map");
}

}  // namespace
}  // namespace fold8::board
