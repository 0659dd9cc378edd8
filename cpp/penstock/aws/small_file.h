// Configuration and tokens: files read whole, within a limit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace penstock::aws {

// nullopt: no regular file at `path`. Throws Error(refused, code too_large) over `max_bytes`, Error(denied)
// if unreadable. No message holds what is in it.
std::optional<std::string> read_small_file(const std::string& path, std::size_t max_bytes);

}  // namespace penstock::aws
