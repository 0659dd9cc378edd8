#include "penstock/aws/child_process.h"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::aws {
namespace {

using std::chrono::milliseconds;
using test::error_of;
using test::TemporaryFolder;

const std::map<std::string, std::string> kEnvironment{{"PATH", "/usr/bin:/bin"}, {"CANARY", "kept"}};

std::string run(const std::string& script, const ChildLimits& limits = {}, const Call& call = {}) {
  return run_child({"/bin/sh", "-c", script}, kEnvironment, limits, call);
}

// Waits for the process whose id the script wrote to be gone, however it died.
bool is_gone(const std::string& pid_file) {
  const auto pid = std::stoi(test::read_file(pid_file));
  for (int i = 0; i < 3000; ++i) {
    // An orphan that no init reaps stays as a zombie: state Z in its stat line.
    std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
    std::string line;
    if (!std::getline(stat, line) || line.find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds{10});
  }
  return false;
}

TEST(ChildProcess, gives_the_standard_output) {
  EXPECT_EQ(run("printf 'one\\ntwo'"), "one\ntwo");
}

TEST(ChildProcess, sees_the_given_environment_and_an_empty_input) {
  EXPECT_EQ(run("cat; printf \"$CANARY-${HOME-none}\""), "kept-none");
}

TEST(ChildProcess, runs_no_shell) {
  EXPECT_EQ(run_child({"/bin/echo", "$CANARY;", "|", "*"}, kEnvironment, {}, {}), "$CANARY; | *\n");
}

TEST(ChildProcess, a_status_other_than_0_is_denied_and_its_standard_error_is_not_told) {
  const auto error = error_of([] { run("echo canary >&2; echo canary; exit 7"); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("status 7"), std::string::npos);
  EXPECT_EQ(error.message().find("canary"), std::string::npos);
}

TEST(ChildProcess, a_signal_is_denied) {
  const auto error = error_of([] { run("kill -TERM $$"); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("signal 15"), std::string::npos) << error.message();
}

TEST(ChildProcess, a_program_that_is_not_there_is_denied) {
  const auto error = error_of([] { run_child({"/no/such/program", "canary"}, {}, {}, {}); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.message().find("canary"), std::string::npos);
  EXPECT_EQ(error_of([] { run_child({}, {}, {}, {}); }).kind(), Kind::denied);
}

TEST(ChildProcess, output_at_the_limit_is_taken_and_one_more_byte_is_denied) {
  const ChildLimits limits{.output_bytes = 1000};
  EXPECT_EQ(run("head -c 1000 /dev/zero", limits).size(), 1000u);
  EXPECT_EQ(error_of([&] { run("head -c 1001 /dev/zero", limits); }).kind(), Kind::denied);
}

TEST(ChildProcess, endless_output_is_stopped_at_the_limit) {
  EXPECT_EQ(error_of([] { run("cat /dev/zero"); }).kind(), Kind::denied);
}

TEST(ChildProcess, one_that_takes_too_long_is_killed_with_all_it_started) {
  const TemporaryFolder folder;
  const auto error = error_of([&] {
    run("sleep 600 & echo $! > " + folder / "pid" + "; mv " + folder / "pid" + " " + folder / "done; wait",
        {.time = milliseconds{500}});
  });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("0.5 s"), std::string::npos) << error.message();
  EXPECT_TRUE(is_gone(folder / "done"));
}

TEST(ChildProcess, one_that_closed_its_output_but_runs_on_is_killed_too) {
  EXPECT_EQ(error_of([] { run("exec >&-; sleep 600", {.time = milliseconds{300}}); }).kind(), Kind::denied);
}

TEST(ChildProcess, a_stop_ends_it) {
  const TemporaryFolder folder;
  std::stop_source stop;
  std::jthread stopper{[&] {
    while (!std::filesystem::exists(folder / "done")) std::this_thread::sleep_for(milliseconds{5});
    stop.request_stop();
  }};
  const auto error = error_of([&] {
    run("echo $$ > " + folder / "pid" + "; mv " + folder / "pid" + " " + folder / "done; exec sleep 600", {},
        {.stop = stop.get_token()});
  });
  EXPECT_EQ(error.kind(), Kind::cancelled);
  EXPECT_TRUE(is_gone(folder / "done"));
}

TEST(ChildProcess, the_callers_deadline_ends_it) {
  const auto error =
      error_of([] { run("exec sleep 600", {}, {.deadline = Deadline::after(milliseconds{200})}); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().code, code::kDeadline);
}

TEST(ChildProcess, inherits_no_descriptor) {
  EXPECT_EQ(run("ls /proc/self/fd | wc -l").substr(0, 1), "4");  // 0, 1, 2 and the folder that ls reads
}

}  // namespace
}  // namespace penstock::aws
