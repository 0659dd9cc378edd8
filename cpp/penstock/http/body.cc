#include "penstock/http/body.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <unistd.h>

#include "penstock/base/redact.h"
#include "penstock/base/wait.h"

namespace penstock::http {
namespace {

constexpr std::chrono::milliseconds kBudgetLook{10};
constexpr std::size_t kLeastRingBytes = 16 * 1024;  // what libcurl gives at once

}  // namespace

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
      arrival_(std::make_shared<Arrival>()) {
  engine_->ring_bytes_changed(static_cast<std::int64_t>(ring_bytes()));
}

void StreamBody::start() {
  wait_for_room();
  begin(std::make_unique<Delivery>(fresh_ring(), arrival_));
  // The exchange keeps the stop and the deadline itself; this wait only has to hear of its end.
  std::unique_lock lock(arrival_->mutex);
  base::wait(arrival_->changed, lock, Call{}, "waiting for an answer", [&] { return arrival_->settled; });
  if (arrival_->failure) throw Error(*arrival_->failure);
  reader_ = std::move(arrival_->reader);
}

std::size_t StreamBody::ring_bytes() const {
  if (!options_.ring_bytes) return engine_->options().ring_bytes;
  return std::max(*options_.ring_bytes, kLeastRingBytes);
}

Delivery::Ring StreamBody::fresh_ring() const {
  return {.bytes = ring_bytes(), .call = options_.call, .budget = engine_->options().budget};
}

// A Budget never waits, so who needs a ring asks again, for what the ring will take in any case. The pipe
// then takes its own charge: between the two another may come first, and the ring is counted as overdraft.
void StreamBody::wait_for_room() const {
  Budget& budget = engine_->budget();
  const auto give_up = std::chrono::steady_clock::now() + engine_->options().slot_wait;
  while (!budget.try_charge(std::min<std::uint64_t>(ring_bytes(), kPageBytes))) {
    if (std::chrono::steady_clock::now() >= give_up) {
      throw Error(Kind::busy, "no memory came free in the Budget for the body's ring",
                  {.side = Side::source,
                   .doing = request_.method,
                   .subject = redact_url(request_.url),
                   .code = "budget"});
    }
    base::sleep(kBudgetLook, options_.call, "waiting for memory from the Budget");
  }
}

void StreamBody::begin(std::unique_ptr<Delivery> delivery) {
  exchange_ = std::make_shared<Exchange>(*engine_, request_, options_, std::move(delivery));
  engine_->begin(exchange_);
}

StreamBody::~StreamBody() {
  if (getpid() == process_) {
    drop();
    engine_->ring_bytes_changed(-static_cast<std::int64_t>(ring_bytes()));
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

std::size_t StreamBody::read_page(Page& page) {
  refuse_in_child();
  const std::size_t count = reader_.read_page(page);
  read_ += count;
  return count;
}

std::optional<std::uint64_t> StreamBody::remaining() const {
  const auto bytes = arrival_->resume.bytes();
  if (!bytes) return std::nullopt;
  return *bytes - std::min(read_, *bytes);
}

std::size_t StreamBody::ready() const {
  refuse_in_child();
  return reader_.ready();
}

void StreamBody::mark() {
  refuse_in_child();
  if (!rewindable()) throw std::logic_error("this HTTP body has no strong validator, so it cannot be marked");
  mark_ = read_;
}

void StreamBody::rewind() {
  refuse_in_child();
  if (!mark_) throw std::logic_error("rewind() without mark()");
  if (*mark_ == read_) return;
  drop();
  reader_ = {};  // one ring at a time
  read_ = *mark_;
  auto delivery = std::make_unique<Delivery>(fresh_ring(), arrival_, read_);
  reader_ = std::move(arrival_->reader);
  begin(std::move(delivery));
}

}  // namespace penstock::http
