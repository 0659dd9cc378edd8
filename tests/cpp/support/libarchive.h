// libarchive, by its program bsdtar, as a judge of archives.
#pragma once

#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>

namespace penstock::test {

struct Said {
  std::string out;
  bool good = false;
};

// What a command of the shell writes to its output. Throws std::runtime_error if there is no such program.
inline Said run(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error{"cannot run " + command};
  Said said;
  std::string some(64 * 1024, '\0');
  while (const std::size_t got = std::fread(some.data(), 1, some.size(), pipe)) said.out.append(some, 0, got);
  const int status = ::pclose(pipe);
  if (status == 127 << 8) throw std::runtime_error{"needs bsdtar (Debian: libarchive-tools)"};
  said.good = status == 0;
  return said;
}

// The content of all files, one after the other, as libarchive reads them; nullopt if it says no.
inline std::optional<std::string> read_by_libarchive(const std::string& path) {
  Said said = run("bsdtar -xOf '" + path + "' 2>/dev/null");
  return said.good ? std::optional{std::move(said.out)} : std::nullopt;
}

}  // namespace penstock::test
