// A request body that is made while it is sent: from its maker's thread through a ring to the I/O thread.
//
//   const auto body = client.upload_stream(bytes, call);
//   client.submit(put(url, body), options, [body](Outcome) { ..; body->close(); });
//   while (body->wait_for_try()) {       // once for each try, which wants the bytes from the first on
//     .. body->write(bytes) .. until all are written, or it says false ..
//   }
//
// Life:     shared by its maker and the exchange. close() is due when no further try will come.
// Threads:  the maker's functions on one thread, those of the exchange on the I/O thread, close() on any.
// Memory:   the ring, and the room its maker reads into; charged to the Budget.
// Failure:  a try that failed is not the maker's error: write() says false, and wait_for_try() what is next.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "penstock/base/call.h"
#include "penstock/http/request.h"

namespace penstock::http {

class Engine;

class UploadStream final : public Payload {
 public:
  static constexpr std::size_t kRingBytes = 64 * 1024;
  static constexpr std::size_t kRoomBytes = 32 * 1024;

  UploadStream(std::shared_ptr<Engine> engine, std::uint64_t bytes, Call call);
  ~UploadStream() override;
  UploadStream(const UploadStream&) = delete;
  UploadStream& operator=(const UploadStream&) = delete;

  // The maker. Waits end as base::wait does, under the call it was made with.
  bool wait_for_try();      // false: it is closed
  MutableBytes room();      // to make the next bytes in; never empty
  bool write(Bytes bytes);  // false: this try is over

  void close() const;

  // The exchange. It holds its body const, as it may change no byte of one; what these change is the passage.
  std::uint64_t size() const override { return bytes_; }
  std::size_t read_at(std::uint64_t, MutableBytes) const override;  // std::logic_error
  const UploadStream* stream() const override { return this; }
  // Wants the body from its first byte: `ready` is called once, on the maker's thread, when that is there.
  void begin(std::function<void()> ready) const;
  // nullopt: nothing there yet. Throws Error(lost) if its maker has left.
  std::optional<std::size_t> read(MutableBytes out) const;
  void on_bytes(std::function<void()> ready) const;  // as PipeReader::on_data

 private:
  struct State;
  void tell_it_comes();
  const std::shared_ptr<Engine> engine_;
  const std::uint64_t bytes_;
  const std::unique_ptr<State> state_;
};

}  // namespace penstock::http
