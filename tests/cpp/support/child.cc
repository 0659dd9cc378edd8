#include "support/child.h"

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace penstock::test {
namespace {

// VmHWM of this process; a fork begins with what is resident then.
std::uint64_t peak_bytes() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  throw std::runtime_error{"/proc/self/status has no VmHWM"};
}

[[noreturn]] void run(const std::function<int()>& work, int report, unsigned seconds) {
  ::alarm(seconds);
  try {
    const std::uint64_t begin = peak_bytes();
    const int code = work();
    const std::uint64_t growth = peak_bytes() - begin;
    if (::write(report, &growth, sizeof growth) == sizeof growth) ::_exit(code);
  } catch (...) {
  }
  ::_exit(255);
}

}  // namespace

ChildEnd in_child(const std::function<int()>& work, unsigned seconds) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error{"pipe failed"};
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error{"fork failed"};
  if (child == 0) run(work, ends[1], seconds);
  ::close(ends[1]);
  ChildEnd end;
  if (::read(ends[0], &end.peak_growth_bytes, sizeof end.peak_growth_bytes) <= 0) end.peak_growth_bytes = 0;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  end.in_time = !WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM;
  end.code = WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
  return end;
}

}  // namespace penstock::test
