#include "penstock/disk/descriptor.h"

#include <cerrno>

#include <unistd.h>

#include "penstock/disk/system_error.h"

namespace penstock::disk {

void Descriptor::close() noexcept {
  // Not repeated on EINTR: Linux has released the descriptor by then.
  if (int fd = std::exchange(fd_, -1); fd >= 0) ::close(fd);
}

void write_all(int fd, Bytes bytes, std::string_view path) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", path, Side::sink);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void write_all_at(int fd, Bytes bytes, std::uint64_t offset, std::string_view path) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", path, Side::sink);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::size_t read_at(int fd, MutableBytes buffer, std::uint64_t offset, std::string_view path) {
  for (;;) {
    ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw_errno("read", path, Side::source);
  }
}

}  // namespace penstock::disk
