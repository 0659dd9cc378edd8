// gzip by zlib itself, for what tests put in.
#pragma once

#include <string>

namespace penstock::test {

std::string gzip(const std::string& bytes);

// What zlib makes of it, as far as it goes: `packed` may be cut anywhere, and may have several members.
std::string gunzip_prefix(const std::string& packed);

}  // namespace penstock::test
