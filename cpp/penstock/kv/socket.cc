#include "penstock/kv/socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"
#include "penstock/kv/resolve.h"

namespace penstock::kv {
namespace {

using std::chrono::milliseconds;

constexpr const char* kWaiting = "wait for the server";
constexpr milliseconds kSlice = base::WaitHook::kEvery;

std::string words_of(int number) {
  char buffer[128];
  return strerror_r(number, buffer, sizeof buffer);
}

Error failed(int number) {
  const bool closed = number == ECONNRESET || number == EPIPE || number == ECONNABORTED;
  const char* name = strerrorname_np(number);
  return {Kind::lost,
          words_of(number),
          {.code = closed ? std::string{kClosed}
                   : name ? name
                          : fmt::format("errno {}", number)}};
}

Error stalled(milliseconds timeout) {
  return {Kind::lost,
          fmt::format("nothing came for {} ms", timeout.count()),
          {.code = std::string{code::kStalled}}};
}

// False after `until`. What is ready is ready even when the call is over.
bool wait_ready(int fd, short events, SteadyTime until, const Call& call) {
  pollfd wanted{fd, events, 0};
  for (milliseconds span{0};; span = kSlice) {
    const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::clamp(left, milliseconds{0}, span).count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw failed(errno);
    base::check(call, kWaiting);
    if (left <= milliseconds{0}) return false;
  }
}

int outcome_of_connecting(int fd) {
  int number = 0;
  socklen_t size = sizeof number;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}

// 0, or the errno of the failure.
int try_connect(int fd, const Address& address, SteadyTime until, const Call& call) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  return wait_ready(fd, POLLOUT, until, call) ? outcome_of_connecting(fd) : ETIMEDOUT;
}

}  // namespace

Socket Socket::connect(const std::string& host, std::uint16_t port, milliseconds timeout, const Call& call) {
  const SteadyTime until = std::chrono::steady_clock::now() + timeout;
  int number = 0;
  for (const Address& address : resolve(host, port, until, call)) {
    disk::Descriptor fd{::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    number = fd ? try_connect(fd.get(), address, until, call) : errno;
    if (number != 0) continue;
    const int on = 1;  // a command is one packet and is waited for: nothing is gained by holding it back
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return {std::move(fd), timeout};
  }
  Error error = failed(number);
  if (number == EMFILE || number == ENFILE) throw Error{Kind::busy, error.message(), error.facts()};
  if (number == ECONNRESET) error.facts().code = "ECONNRESET";  // not one that was open and is now closed
  throw error;
}

void Socket::await(short events, const Call& call) const {
  const SteadyTime until = std::chrono::steady_clock::now() + timeout_;
  if (!wait_ready(fd_.get(), events, until, call)) throw stalled(timeout_);
}

void Socket::write(Bytes bytes, const Call& call) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      await(POLLOUT, call);
    } else if (errno != EINTR) {
      throw failed(errno);
    }
  }
}

std::size_t Socket::read(MutableBytes buffer, const Call& call) {
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN) {
      await(POLLIN, call);
    } else if (errno != EINTR) {
      throw failed(errno);
    }
  }
}

bool Socket::is_quiet() const {
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace penstock::kv
