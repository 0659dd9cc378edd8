#include "support/connection.h"

#include <cerrno>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace penstock::test {
namespace {

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket);
    throw HungUp{};
  }
  return socket;
}

// Moves what is there; false at the end of `from`.
bool move_some(int from, int to) {
  char buffer[16384];
  const ssize_t got = ::recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t n = ::send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (n > 0) sent += n;
  }
  return got > 0;
}

}  // namespace

Connection::Connection(int socket, int stop_fd) : socket_(socket), stop_fd_(stop_fd) {
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
  const int on = 1;  // each send is a packet: pieces arrive as pieces
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  close();
}

void Connection::await(short events) {
  pollfd both[] = {{socket_, events, 0}, {stop_fd_, POLLIN, 0}};
  while (::poll(both, 2, -1) < 0 && errno == EINTR) continue;
  if (both[1].revents != 0) throw HungUp{};
}

// True: the operation may be tried again.
bool Connection::await_tls(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      await(POLLIN);
      return true;
    case SSL_ERROR_WANT_WRITE:
      await(POLLOUT);
      return true;
    default:
      return false;
  }
}

void Connection::start_tls(SSL_CTX& context) {
  ssl_.reset(SSL_new(&context));
  SSL_set_fd(ssl_.get(), socket_);
  for (int result; (result = SSL_accept(ssl_.get())) != 1;)
    if (!await_tls(result)) throw HungUp{};
}

std::size_t Connection::read(char* buffer, std::size_t size) {
  if (closed()) throw HungUp{};
  for (;;) {
    if (ssl_) {
      const int got = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
      if (got > 0) return static_cast<std::size_t>(got);
      if (!await_tls(got)) return 0;
    } else {
      const ssize_t got = ::recv(socket_, buffer, size, 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EAGAIN && errno != EINTR) throw HungUp{};
      await(POLLIN);
    }
  }
}

void Connection::write(std::string_view bytes) {
  if (closed()) throw HungUp{};
  while (!bytes.empty()) {
    if (ssl_) {
      const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent > 0)
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      else if (!await_tls(sent))
        throw HungUp{};
    } else {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0)
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      else if (errno == EAGAIN || errno == EINTR)
        await(POLLOUT);
      else
        throw HungUp{};
    }
  }
}

void Connection::wait_for_peer_to_leave() {
  if (closed()) throw HungUp{};
  await(POLLRDHUP);
  throw HungUp{};
}

void Connection::reset() {
  if (closed()) return;
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(socket_, -1));
}

// Unread bytes would turn the FIN into a RST that can overtake what was sent, so what is there is read first.
void Connection::close() {
  if (closed()) return;
  if (ssl_) SSL_shutdown(ssl_.get());
  ::shutdown(socket_, SHUT_WR);
  char rest[16384];
  while (::recv(socket_, rest, sizeof rest, MSG_DONTWAIT) > 0) continue;
  ::close(std::exchange(socket_, -1));
}

void Connection::tunnel(std::uint16_t port) {
  const int far = connect_to(port);
  pollfd ends[] = {{socket_, POLLIN, 0}, {far, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  for (bool open = true; open;) {
    while (::poll(ends, 3, -1) < 0 && errno == EINTR) continue;
    open = ends[2].revents == 0;
    if (open && ends[0].revents != 0) open = move_some(socket_, far);
    if (open && ends[1].revents != 0) open = move_some(far, socket_);
  }
  ::close(far);
  close();
}

}  // namespace penstock::test
