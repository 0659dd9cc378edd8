// SIGKILL at every system call of a piece of work, one run a call, before and after it.
#pragma once

#include <cstddef>
#include <functional>

namespace penstock::test {

// Runs `work` in forked children under ptrace, killing the k-th run at its k-th stop (each system call has
// two: on entry, with nothing done, and on exit). After each death calls `check(k)` here. Ends with the first
// run that completes, and returns how many were killed. `prepare` runs here before each. Throws
// std::runtime_error if a run fails by itself or ptrace is forbidden.
std::size_t kill_at_every_system_call(const std::function<void()>& prepare, const std::function<void()>& work,
                                      const std::function<void(std::size_t)>& check);

// One such run, killed at stop `stop`; false if it completed before that.
bool kill_at_system_call(std::size_t stop, const std::function<void()>& work);

}  // namespace penstock::test
