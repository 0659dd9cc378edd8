#include "support/kill_sweep.h"

#include <csignal>
#include <stdexcept>
#include <string>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace penstock::test {
namespace {

constexpr int kForbidden = 77, kFailed = 1;
constexpr std::size_t kMostStops = 20'000;  // an endless loop in `work` ends the sweep, with an error

[[noreturn]] void run_traced(const std::function<void()>& work) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kForbidden);
  ::raise(SIGSTOP);
  try {
    work();
  } catch (...) {
    ::_exit(kFailed);
  }
  ::_exit(0);
}

// True when the child was killed at stop number `stop`; false when it ran to its end before.
bool killed_at(pid_t child, std::size_t stop) {
  int status = 0;
  ::waitpid(child, &status, 0);
  for (std::size_t stops = 0; WIFSTOPPED(status); ++stops) {
    if (stops == stop) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return true;
    }
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  throw std::runtime_error("the traced run failed by itself, wait status " + std::to_string(status));
}

}  // namespace

bool kill_at_system_call(std::size_t stop, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) run_traced(work);
  return killed_at(child, stop);
}

std::size_t kill_at_every_system_call(const std::function<void()>& prepare, const std::function<void()>& work,
                                      const std::function<void(std::size_t)>& check) {
  for (std::size_t stop = 0; stop < kMostStops; ++stop) {
    prepare();
    if (!kill_at_system_call(stop, work)) return stop;
    check(stop);
  }
  throw std::runtime_error("the work makes more system calls than the sweep allows");
}

}  // namespace penstock::test
