// The grammar of ~/.aws/config and ~/.aws/credentials, as the AWS CLI reads them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::aws {

// Larger is no hand-written configuration, and would be read on every load.
inline constexpr std::size_t kMaxIniBytes = 1024 * 1024;

using IniSection = std::map<std::string, std::string>;  // keys in lower case
using Ini = std::map<std::string, IniSection>;          // names trimmed, inner white space collapsed

// "key = value" or "key: value" under "[name]". A line indented deeper than its key goes on with its value,
// which then holds a line break: nested settings stay inside their parent. '#' and ';' begin a comment at the
// start of a line, or after white space outside quotes. A section that comes again adds to the first; the
// later key wins. Throws Error(refused) naming `subject` and the line number, never the line: it may hold a
// secret.
Ini parse_ini(std::string_view text, const std::string& subject);

// nullopt: no regular file at `path`. Throws Error(refused) over kMaxIniBytes, Error(denied) if unreadable.
std::optional<Ini> read_ini(const std::string& path);

}  // namespace penstock::aws
