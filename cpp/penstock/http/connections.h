// The sockets libcurl holds for one client: counted by origin, shut when idle too long, closed in a forked
// child.
//
// libcurl 7.88 closes a socket that never came to be connected (a timeout, a cut) without telling: its number
// may then be another file's. So each entry knows its socket's inode, and one whose number has another is
// nobody's.
//
// Threads: the I/O thread only, but abandon(), which a forked child calls: there no other thread exists, and
//          whatever lock one held at the fork stays locked. So the numbers also stand in a table of atomics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "penstock/base/call.h"

namespace penstock::http {

class Connections {
 public:
  struct Count {
    int open = 0, idle = 0;
  };

  void opened(int fd, const std::string& origin);
  void closed(int fd);
  void taken(std::uint16_t local_port);  // a request is about to go out on it
  void idle(int fd, SteadyTime until);   // back in libcurl's pool

  // Shuts down idle sockets past their time; libcurl finds them dead and never uses them again. It would
  // itself only look when it next opens a connection, and with one age for all.
  void shut_idle(SteadyTime now);
  std::optional<SteadyTime> next_expiry() const;
  std::map<std::string, Count> counts() const;

  // In a forked child: closes every socket with close(2), so no TLS or HTTP byte reaches the parent's peers.
  void abandon() noexcept;

 private:
  struct Socket {
    std::string origin;
    std::uint64_t inode = 0;
    std::optional<SteadyTime> idle_until;
    std::uint16_t local_port = 0;
    bool shut = false;
  };
  struct Entry {
    std::atomic<int> number{0};  // fd + 1, 0 for free
    std::atomic<std::uint64_t> inode{0};
  };
  static constexpr std::size_t kTable = 4096;
  void forget(int fd);
  std::unordered_map<int, Socket> sockets_;
  std::array<Entry, kTable> table_{};
};

}  // namespace penstock::http
