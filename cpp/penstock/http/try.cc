#include "penstock/http/try.h"

#include <algorithm>
#include <charconv>

#include "penstock/http/content_range.h"
#include "penstock/http/delivery.h"
#include "penstock/http/engine.h"
#include "penstock/http/fault.h"
#include "penstock/http/upload_stream.h"

namespace penstock::http {
namespace {

// `Keep-Alive: timeout=5` -> 5 s; nullopt if it says none.
std::optional<std::chrono::seconds> keep_alive_timeout(const Headers& headers) {
  const std::string_view value = headers.get("keep-alive");
  const auto at = value.find("timeout=");
  if (at == std::string_view::npos) return std::nullopt;
  int seconds = 0;
  const char* digits = value.data() + at + 8;
  if (std::from_chars(digits, value.data() + value.size(), seconds).ec != std::errc{}) return std::nullopt;
  return std::chrono::seconds{seconds};
}

}  // namespace

Try::Try(Engine& engine, Owner& owner)
    : engine_(engine),
      owner_(owner),
      easy_(engine.options(), engine.environment(), engine.shared(), engine.connections()) {}

Try::~Try() {
  cut();
}

void Try::begin(const Request& request, const Wire& wire, const Limits& limits, Delivery* delivery) {
  request_ = &request;
  delivery_ = delivery;
  limits_ = limits;
  head_ = {};
  use_.reset();
  kept_.clear();
  fault_.reset();
  connected_ = request_sent_ = answered_ = address_blocked_ = stopped_ = timed_out_ = paused_ = false;
  starving_ = false;
  repeats_ = 0;
  sent_ = moved_ = moved_at_look_ = 0;
  looked_at_ = engine_.now();
  paused_for_ = {};
  stall_ = StallClock(limits.stall_window, limits.stall_bytes_per_second);
  easy_.begin(request, wire, *this);
  running_ = true;
  counted_buffers_ = easy_.buffer_bytes();
  engine_.buffers_changed(static_cast<std::int64_t>(counted_buffers_));
  engine_.add(easy_.handle(), *this);
}

void Try::cut() {
  if (running_) leave();
}

void Try::leave() {
  running_ = false;
  engine_.buffers_changed(-static_cast<std::int64_t>(counted_buffers_));
  engine_.remove(easy_.handle());
}

// The clocks. libcurl keeps the one for connecting, which runs until about_to_send().
void Try::tick(SteadyTime now) {
  if (!running_ || !connected_) {
    looked_at_ = now;
    return;
  }
  if (request_sent_ && !answered_) {
    if (now - request_sent_at_ >= limits_.first_byte) {
      timed_out_ = true;
      return fail(first_byte_fault());
    }
  }
  if (starving_ && !answered_ && now - starving_since_ >= limits_.starved) return fail(starved_fault());
  if (paused_) {
    paused_for_ += now - paused_at_;
    paused_at_ = now;
  }
  const auto counted = (now - looked_at_) - std::exchange(paused_for_, {});
  looked_at_ = now;
  const auto moved = moved_ - std::exchange(moved_at_look_, moved_);
  if (!request_sent_ || answered_) stall_.count(std::max(counted, std::chrono::nanoseconds{0}), moved);
  if (moving() && stall_.stalled()) {
    timed_out_ = true;
    fail(stall_fault());
  }
}

void Try::fail(Error fault) {
  fault_ = std::move(fault);
  leave();
  owner_.try_ended();
}

void Try::transfer_done(CURLcode result) {
  note_connection();
  leave();
  if (result != CURLE_OK && !stopped_) {
    timed_out_ = result == CURLE_OPERATION_TIMEDOUT;
    fault_ = http::fault({.result = result,
                          .detail = easy_.error_text(),
                          .connected = connected_,
                          .address_blocked = address_blocked_,
                          .tls_refused = easy_.tls_alerted()});
  }
  // libcurl takes a head that ends before its blank line for a whole answer without a body.
  if (result == CURLE_OK && !stopped_ && !head_.complete()) fault_ = cut_head_fault();
  if (result == CURLE_OK && !fault_ && acknowledged_early()) fault_ = cut_stream_fault();
  owner_.try_ended();
}

// What was made for this try alone cannot be there before it was all taken.
bool Try::acknowledged_early() const {
  const Payload* body = request_->body.get();
  const bool well = head_.status() >= 200 && head_.status() <= 299;
  return well && body && body->stream() && sent_ < body->size();
}

void Try::note_connection() {
  const auto idle = keep_alive_timeout(head_.headers());
  std::chrono::milliseconds span = limits_.idle_connection;
  // Two seconds before the server would: what crosses on the wire then still arrives.
  if (idle)
    span = std::min<std::chrono::milliseconds>(
        span, std::max(std::chrono::seconds{1}, *idle - std::chrono::seconds{2}));
  if (const int fd = easy_.socket(); fd >= 0) engine_.connections().idle(fd, engine_.now() + span);
  if (!connected_) return;
  const bool reused = easy_.reused_connection();
  engine_.count([&](Statistics& statistics) {
    auto& host = statistics.hosts[Url::parse(request_->url).origin()];
    ++(reused ? host.reused : host.created);
  });
}

bool Try::about_to_send() {
  // libcurl turns to another connection after a dead one took some of the body, without asking for it again.
  if (sent_ > 0 && request_->body->stream()) return stop_with(cut_stream_fault()), false;
  if (std::exchange(connected_, true)) ++repeats_;
  owner_.about_to_send();
  address_blocked_ = false;  // of several addresses this one is allowed
  looked_at_ = engine_.now();
  if (request_->body && request_->body->size() > 0) return true;
  request_sent_ = true;
  request_sent_at_ = looked_at_;
  return true;
}

// nullopt: it is not there yet.
std::optional<std::size_t> Try::next_of_body(MutableBytes out) {
  const Payload* body = request_->body.get();
  if (!body) return 0;
  const UploadStream* stream = body->stream();
  return stream ? stream->read(out) : body->read_at(sent_, out);
}

// No exception may pass through libcurl.
std::size_t Try::bytes_wanted(MutableBytes out) try {
  const auto given = next_of_body(out);
  if (!given) {
    if (!paused_) pause();
    starving_since_ = starving_ ? starving_since_ : engine_.now();
    starving_ = true;
    owner_.body_is_late();
    return kNotYet;
  }
  starving_ = false;
  sent_ += *given;
  moved_ += *given;
  engine_.bytes_moved(0, *given);
  if (request_->body && sent_ >= request_->body->size() && !request_sent_) {
    request_sent_ = true;
    request_sent_at_ = engine_.now();
  }
  return *given;
} catch (const Error& error) {
  stop_with(error);
  return kStop;
}

bool Try::sending_again(std::uint64_t offset) {
  sent_ = offset;
  request_sent_ = false;
  return true;
}

bool Try::line_came(std::string_view line) {
  moved_ += line.size();
  const auto read = head_.take(line);
  if (read == Head::Line::too_large) return stop_with(head_fault()), false;
  if (head_.status() >= 200 && !answered_) {
    answered_ = true;
    moved_at_look_ = moved_;
  }
  if (read == Head::Line::complete) {
    // libcurl ends what was answered early with an error, but not while it is paused.
    if (answered_ && starving_) go_on();
    return choose_use();
  }
  return true;
}

// No exception may pass through libcurl.
bool Try::choose_use() try {
  content_length(head_.headers());  // libcurl takes the first of a list of different ones
  use_ = owner_.use_of(head_);
  if (*use_ == Use::stop) stop_with(std::nullopt);
  return *use_ != Use::stop;
} catch (const Error& error) {
  stop_with(error);
  return false;
}

Easy::Events::Took Try::bytes_came(Bytes bytes) {
  moved_ += bytes.size();
  engine_.bytes_moved(bytes.size(), 0);
  // For libcurl a line that begins with CR ends the head, whatever comes after it.
  if (!use_) return stop_with(cut_head_fault());
  if (*use_ == Use::deliver) return deliver(bytes);
  return keep(bytes, *use_ == Use::keep ? limits_.max_body_bytes : kKeptErrorBytes);
}

Easy::Events::Took Try::keep(Bytes bytes, std::size_t limit) {
  if (kept_.empty()) {  // no more than there will be: growing would double it
    const std::uint64_t length = content_length(head_.headers()).value_or(0);
    kept_.reserve(std::min<std::uint64_t>(length, limit));
  }
  const auto fits = std::min(bytes.size(), limit - kept_.size());
  kept_.append(as_text(bytes.first(fits)));
  if (fits == bytes.size()) return Took::all;
  if (*use_ == Use::keep_error) return stop_with(std::nullopt);  // what is kept says enough
  return stop_with(body_fault(limit));
}

Easy::Events::Took Try::deliver(Bytes bytes) {
  switch (delivery_->take(bytes)) {
    case Delivery::Took::stop:
      return stop_with(std::nullopt);
    case Delivery::Took::nothing:
      moved_ -= bytes.size();  // it comes again
      engine_.bytes_moved(-bytes.size(), 0);
      if (!paused_) pause(), owner_.ring_is_full();
      return Took::pause;
    case Delivery::Took::all:
      break;
  }
  // Paused before libcurl reads what would not fit: it would keep a copy of it. What it has read already
  // comes on in pieces of 16 KiB and is taken: to refuse one would make it copy the rest, again for each
  // piece.
  if (!paused_ && delivery_->room() < easy_.receive_bytes()) {
    pause();
    owner_.ring_is_full();
    curl_easy_pause(easy_.handle(), CURLPAUSE_RECV);
  }
  return Took::all;
}

void Try::pause() {
  paused_ = true;
  paused_at_ = engine_.now();
}

void Try::go_on() {
  if (!running_ || !paused_) return;
  paused_ = false;
  paused_for_ += engine_.now() - paused_at_;
  curl_easy_pause(easy_.handle(), CURLPAUSE_CONT);
}

Easy::Events::Took Try::stop_with(std::optional<Error> fault) {
  stopped_ = true;
  fault_ = std::move(fault);
  return Took::stop;
}

}  // namespace penstock::http
