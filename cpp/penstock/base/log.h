// Where the core says what it does. The core never prints: without a sink, lines are dropped.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace penstock {

enum class LogLevel { debug, info, warning, error };

// Called from any thread, the I/O thread included: must not block. Lines carry no secrets.
using LogSink = std::function<void(LogLevel level, std::string_view room, std::string_view line)>;

}  // namespace penstock
