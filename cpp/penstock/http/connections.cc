#include "penstock/http/connections.h"

#include <algorithm>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock::http {
namespace {

std::uint16_t local_port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
  return 0;
}

// 0: not open.
std::uint64_t inode_of(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

void Connections::opened(int fd, const std::string& origin) {
  forget(fd);  // what had this number was closed in silence
  const std::uint64_t inode = inode_of(fd);
  sockets_[fd] = Socket{.origin = origin, .inode = inode, .idle_until = {}};
  const auto free = std::find_if(table_.begin(), table_.end(), [](const Entry& e) { return e.number == 0; });
  if (free == table_.end()) return;
  free->inode = inode;
  free->number = fd + 1;
}

void Connections::closed(int fd) {
  forget(fd);
}

void Connections::forget(int fd) {
  if (sockets_.erase(fd) == 0) return;
  const auto entry =
      std::find_if(table_.begin(), table_.end(), [&](const Entry& e) { return e.number == fd + 1; });
  if (entry != table_.end()) entry->number = 0;
}

void Connections::taken(std::uint16_t local_port) {
  for (auto& [fd, socket] : sockets_) {
    if (socket.idle_until && socket.local_port == local_port) socket.idle_until.reset();
  }
}

void Connections::idle(int fd, SteadyTime until) {
  const auto socket = sockets_.find(fd);
  if (socket == sockets_.end()) return;
  socket->second.idle_until = until;
  socket->second.local_port = local_port_of(fd);
}

void Connections::shut_idle(SteadyTime now) {
  for (auto& [fd, socket] : sockets_) {
    if (socket.shut || !socket.idle_until || now < *socket.idle_until) continue;
    if (inode_of(fd) == socket.inode) ::shutdown(fd, SHUT_RDWR);
    socket.shut = true;
  }
}

std::optional<SteadyTime> Connections::next_expiry() const {
  std::optional<SteadyTime> first;
  for (const auto& [fd, socket] : sockets_) {
    if (socket.idle_until && !socket.shut)
      first = std::min(first.value_or(*socket.idle_until), *socket.idle_until);
  }
  return first;
}

std::map<std::string, Connections::Count> Connections::counts() const {
  std::map<std::string, Count> counts;
  for (const auto& [fd, socket] : sockets_) {
    if (socket.shut || inode_of(fd) != socket.inode) continue;
    ++counts[socket.origin].open;
    if (socket.idle_until) ++counts[socket.origin].idle;
  }
  return counts;
}

void Connections::abandon() noexcept {
  for (Entry& entry : table_) {
    const int fd = entry.number.exchange(0) - 1;
    if (fd >= 0 && inode_of(fd) == entry.inode) ::close(fd);
  }
}

}  // namespace penstock::http
