#include "penstock/aws/small_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "penstock/base/error.h"
#include "penstock/disk/descriptor.h"

namespace penstock::aws {
namespace {

[[noreturn]] void throw_unreadable(const std::string& path) {
  throw Error{Kind::denied,
              fmt::format("{} cannot be read: {}", path, std::strerror(errno)),
              {.doing = "read configuration", .subject = path}};
}

std::string read_within_limit(int fd, const std::string& path, std::size_t max_bytes) {
  std::string text;
  char buffer[16 * 1024];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_unreadable(path);
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes)
      throw Error{Kind::refused,
                  fmt::format("{} is over {} bytes, which no file of its kind is", path, max_bytes),
                  {.doing = "read configuration", .subject = path, .code = std::string{code::kTooLarge}}};
  }
  return text;
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  struct stat status{};
  // Asked first, since opening a FIFO would wait for a writer.
  if (stat(path.c_str(), &status) != 0) {
    if (errno == EACCES) throw_unreadable(path);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  const disk::Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) throw_unreadable(path);
  return read_within_limit(file.get(), path, max_bytes);
}

}  // namespace penstock::aws
