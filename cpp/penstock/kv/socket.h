// A TCP connection whose every wait hears a stop and a deadline within 50 ms.
//
// Life:     connected by connect(). Dying closes it; so does a failure, for whoever else looks.
// Threads:  one at a time, but abandon(), which a forked child calls.
// Failure:  Error(lost, code closed) if the far end closed or reset it, so that whoever asked may ask again;
//           Error(lost, code stalled) if nothing moved for `timeout`; another errno as Error(lost) with its
//           name.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/bytes.h"
#include "penstock/base/call.h"
#include "penstock/disk/descriptor.h"

namespace penstock::kv {

inline constexpr std::string_view kClosed = "closed";  // a code: the far end closed or reset the connection

class Socket {
 public:
  // The first of the host's addresses that takes it.
  static Socket connect(const std::string& host, std::uint16_t port, std::chrono::milliseconds timeout,
                        const Call& call);

  void write(Bytes bytes, const Call& call);
  std::size_t read(MutableBytes buffer, const Call& call);  // what is there, at least a byte; 0: the end
  bool is_quiet() const;                                    // open, and nothing to read
  void abandon() noexcept { fd_.close(); }                  // no word to the far end

 private:
  Socket(disk::Descriptor fd, std::chrono::milliseconds timeout) : fd_(std::move(fd)), timeout_(timeout) {}
  void await(short events, const Call& call) const;

  disk::Descriptor fd_;
  std::chrono::milliseconds timeout_;
};

}  // namespace penstock::kv
