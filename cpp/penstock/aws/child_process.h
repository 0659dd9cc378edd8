// One program run for its output: no shell, bounded in time and bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "penstock/base/call.h"

namespace penstock::aws {

struct ChildLimits {
  std::chrono::milliseconds time{60'000};
  std::size_t output_bytes = 64 * 1024;
};

// What `arguments[0]` (looked up in PATH) wrote to its standard output. Its standard input is empty and its
// standard error goes nowhere, since it may hold secrets; it inherits no other descriptor. It runs in a
// process group of its own, which is killed when the call ends, or at a limit, before this returns. Throws
// Error(denied): not found, a status other than 0, a signal, over a limit. Error(cancelled) and Error(lost,
// deadline) by `call`. No message holds output or arguments.
std::string run_child(const std::vector<std::string>& arguments,
                      const std::map<std::string, std::string>& environment, const ChildLimits& limits,
                      const Call& call);

}  // namespace penstock::aws
