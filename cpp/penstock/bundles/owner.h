// Which process wrote something down, and whether it is gone for sure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "penstock/base/call.h"

namespace penstock::bundles {

// "boot id/pid namespace/pid/start time": this process, unlike any other of any machine.
std::string this_owner();

// True only if the owner was a process of this boot and of this pid namespace, and is no more: of another
// machine, or before a restart that may have been another machine's, nothing is sure.
bool is_surely_dead(std::string_view owner);

// The same, or longer than `after` since it was written down: a timestamp of documents.h.
bool is_given_up(std::string_view owner, std::string_view written, WallTime now,
                 std::chrono::milliseconds after);

}  // namespace penstock::bundles
