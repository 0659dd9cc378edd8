#include "penstock/http/body.h"

#include <stdexcept>
#include <utility>

#include <unistd.h>

#include "penstock/base/wait.h"

namespace penstock::http {

std::unique_ptr<StreamBody> StreamBody::open(std::shared_ptr<Engine> engine, Request request,
                                             CallOptions options) {
  std::unique_ptr<StreamBody> body(new StreamBody(std::move(engine), std::move(request), std::move(options)));
  body->start();
  return body;
}

StreamBody::StreamBody(std::shared_ptr<Engine> engine, Request request, CallOptions options)
    : process_(getpid()),
      engine_(std::move(engine)),
      request_(std::move(request)),
      options_(std::move(options)),
      arrival_(std::make_shared<Arrival>()) {}

void StreamBody::start() {
  Pipe pipe(engine_->options().ring_bytes, options_.call, engine_->options().budget);
  reader_ = std::move(pipe.reader);
  auto delivery = std::make_unique<Delivery>(std::move(pipe.writer), engine_->options().ring_bytes, arrival_);
  exchange_ = std::make_shared<Exchange>(*engine_, request_, options_, std::move(delivery));
  engine_->begin(exchange_);
  // The exchange keeps the stop and the deadline itself; this wait only has to hear of its end.
  std::unique_lock lock(arrival_->mutex);
  base::wait(arrival_->changed, lock, Call{}, "waiting for an answer", [&] { return arrival_->settled; });
  if (arrival_->failure) throw Error(*arrival_->failure);
}

StreamBody::~StreamBody() {
  if (getpid() == process_) {
    drop();
    return;
  }
  // In a forked child: a lock of the ring may have been held at the fork, so nothing of it is touched.
  new PipeReader(std::move(reader_));
  new std::shared_ptr<Exchange>(std::move(exchange_));
  new std::shared_ptr<Engine>(std::move(engine_));
}

void StreamBody::drop() noexcept {
  reader_.close();
  if (exchange_) exchange_->cancel();
}

void StreamBody::refuse_in_child() const {
  if (getpid() != process_)
    throw std::logic_error("an HTTP body does not survive fork(): open it in the child");
}

std::size_t StreamBody::read(MutableBytes buffer) {
  refuse_in_child();
  const std::size_t count = reader_.read(buffer);
  read_ += count;
  return count;
}

std::optional<std::uint64_t> StreamBody::remaining() const {
  if (!arrival_->bytes) return std::nullopt;
  return *arrival_->bytes - read_;
}

}  // namespace penstock::http
