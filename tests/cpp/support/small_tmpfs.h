// A real full disk: a file system of 1 MiB that only a child of the test sees.
#pragma once

#include <functional>
#include <string>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace penstock::test {

inline constexpr int kMayNotMount = 77;

// Runs `claims` in a child with a tmpfs of 1 MiB over `path`; 0 if they hold, kMayNotMount without the right
// to mount.
inline int in_small_tmpfs(const std::string& path, const std::function<bool()>& claims) {
  pid_t child = ::fork();
  if (child == 0) {
    bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                   ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   ::mount("penstock", path.c_str(), "tmpfs", 0, "size=1m") == 0;
    ::_exit(!mounted ? kMayNotMount : claims() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace penstock::test
