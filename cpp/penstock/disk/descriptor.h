// A file descriptor that is closed once, and the two loops every reader and writer needs.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "penstock/base/bytes.h"
#include "penstock/base/error.h"

namespace penstock::disk {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

// Writes all of `bytes` at the descriptor's place, through short writes and EINTR. `path` is for the error.
void write_all(int fd, Bytes bytes, std::string_view path);
void write_all_at(int fd, Bytes bytes, std::uint64_t offset, std::string_view path);

// One read at `offset`, through EINTR; 0 at the end of the file.
std::size_t read_at(int fd, MutableBytes buffer, std::uint64_t offset, std::string_view path);

}  // namespace penstock::disk
