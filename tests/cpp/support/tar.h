// Tars by the letter of POSIX.1-1988, so that each field can be got wrong; Python's tarfile judges whole
// archives.
#pragma once

#include <string>
#include <vector>

namespace penstock::test {

struct TarMember {
  std::string name, body{};
  char type = '0';
  std::string link_to{},
      magic{
          "ustar\0"
          "00",
          8},
      prefix{}, size{};
};

std::string packed(const TarMember& member);  // its header, and its body in blocks
std::string tar(const std::vector<TarMember>& members);

// The content of its files, one after the other, as far as it is there: `archive` may be cut anywhere.
std::string untar_prefix(const std::string& archive);

std::string with_sum(std::string block);
std::string padded(std::string body);
std::string pax(const std::string& key, const std::string& value);  // a record of a pax header

}  // namespace penstock::test
