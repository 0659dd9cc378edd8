#include "penstock/http/connections.h"

#include <algorithm>

#include <netinet/in.h>
#include <sys/socket.h>
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

}  // namespace

void Connections::opened(int fd, const std::string& origin) {
  sockets_[fd] = Socket{.origin = origin, .idle_until = {}};
  const auto free = std::find(table_.begin(), table_.end(), 0);
  if (free != table_.end()) *free = fd + 1;
}

void Connections::closed(int fd) {
  sockets_.erase(fd);
  const auto entry = std::find(table_.begin(), table_.end(), fd + 1);
  if (entry != table_.end()) *entry = 0;
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
    ::shutdown(fd, SHUT_RDWR);
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
    if (socket.shut) continue;
    ++counts[socket.origin].open;
    if (socket.idle_until) ++counts[socket.origin].idle;
  }
  return counts;
}

void Connections::abandon() noexcept {
  for (auto& entry : table_) {
    if (const int fd = entry.exchange(0) - 1; fd >= 0) ::close(fd);
  }
}

}  // namespace penstock::http
