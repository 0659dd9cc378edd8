#include "penstock/http/exchange.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/base/hide.h"
#include "penstock/base/redact.h"
#include "penstock/http/fault.h"
#include "penstock/http/lease.h"
#include "penstock/http/redirect.h"
#include "penstock/http/upload_stream.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;

constexpr int kAttempts = 3, kBodyAttempts = 5;
constexpr int kConnectionsPerHost = 16;
constexpr std::uint64_t kProgressBytes = 1_MiB;  // so many new bytes are as good as a success

// With no validator the rest could be another object's.
Error not_resumable(const Error& fault) {
  Facts facts;
  facts.code = code::kNotResumable;
  facts.cause = std::make_shared<Error>(fault);
  return Error(Kind::lost, "the body broke and has no strong validator to go on by: " + fault.message(),
               std::move(facts));
}

}  // namespace

Exchange::Exchange(Engine& engine, Request request, CallOptions options, Done done)
    : engine_(engine),
      mailbox_(engine.mailbox()),
      asked_(std::move(request)),
      options_(std::move(options)),
      policy_(options_.policy ? options_.policy : plain_policy()),
      done_(std::move(done)),
      attempts_(engine, options_),
      chore_(options_.chore ? engine.hold_chore() : nullptr) {
  // A stream is its makers' too, and no policy reads it.
  if (!asked_.body || asked_.body->stream()) return;
  lease_ = std::make_shared<Lease>(std::move(asked_.body));
  asked_.body = lease_;
}

Exchange::Exchange(Engine& engine, Request request, CallOptions options, std::unique_ptr<Delivery> delivery)
    : Exchange(engine, std::move(request), std::move(options), Done{}) {
  delivery_ = std::move(delivery);
}

Exchange::~Exchange() = default;

void Exchange::cancel() {
  mailbox_->post([self = shared_from_this()] { self->cancelled(); });
}

void Exchange::start() try {
  check();
  arm();
  prepare();
} catch (const Error& error) {
  fail(error);
}

// Everything that can be refused before any I/O.
void Exchange::check() {
  url_ = Url::parse(asked_.url);
  origin_ = url_.origin();
  if (url_.has_userinfo)
    throw our_error(Kind::refused, "url", "a URL with user or password in it; send them as a header");
  for (const auto& [name, value] : asked_.headers) check_header(name, value);
  check_header(asked_.method, "");
  attempts_.allow(delivery_ ? kBodyAttempts : kAttempts);
}

void Exchange::arm() {
  const std::weak_ptr<Exchange> weak = weak_from_this();
  std::optional<SteadyTime> due;
  const auto now = engine_.now();
  if (options_.call.deadline.set())
    due = now + (*options_.call.deadline.at() - std::chrono::steady_clock::now());
  if (options_.total) due = std::min(due.value_or(SteadyTime::max()), now + *options_.total);
  if (due) {
    deadline_timer_ = engine_.at(*due, [weak] {
      if (const auto self = weak.lock()) self->deadline_passed();
    });
  }
  // Runs on whatever thread asks to stop: it only posts.
  if (options_.call.stop.stop_possible()) {
    on_stop_.emplace(options_.call.stop, [weak] {
      if (const auto self = weak.lock()) self->cancel();
    });
  }
}

void Exchange::prepare() {
  state_ = State::preparing;
  const bool goes_on = delivery_ && delivery_->is_open();
  sent_ = goes_on ? delivery_->resume().shaped(asked_, delivery_->delivered(), options_.s3_resume) : asked_;
  const std::uint64_t generation = ++generation_;
  const UploadStream* stream = asked_.body ? asked_.body->stream() : nullptr;
  if (!stream) return prepare_by_policy(generation);
  // Signed, and a connection taken, only once its maker is there: it may have to open its source again.
  stream->begin([weak = weak_from_this(), mailbox = mailbox_, generation] {
    mailbox->post([weak, generation] {
      const auto self = weak.lock();
      if (self && self->state_ == State::preparing && self->generation_ == generation)
        self->prepare_by_policy(generation);
    });
  });
}

void Exchange::prepare_by_policy(std::uint64_t generation) {
  // The exchange lives until `ready` is called or dropped, and so does the request the policy writes to.
  policy_->prepare(sent_, [self = shared_from_this(), generation](std::optional<Error> failure) {
    self->mailbox_->post([self, generation, failure = std::move(failure)] {
      if (self->state_ == State::preparing && self->generation_ == generation) self->prepared(failure);
    });
  });
}

void Exchange::prepared(std::optional<Error> failure) {
  if (failure) return fail(std::move(*failure));
  try {
    url_ = Url::parse(sent_.url);
    for (const auto& [name, value] : sent_.headers) check_header(name, value);
  } catch (const Error& error) {
    return fail(error);
  }
  origin_ = url_.origin();
  state_ = State::queued;
  queued_at_ = engine_.now();
  per_host_ = options_.connections_per_host.value_or(
      engine_.options().connections_per_host.value_or(kConnectionsPerHost));
  if (engine_.slots().take(origin_, per_host_, *this)) slot_granted();
}

void Exchange::slot_granted() {
  const std::chrono::duration<double> waited = engine_.now() - queued_at_;
  engine_.count([&](Statistics& statistics) {
    auto& host = statistics.hosts[origin_];
    host.waited_seconds += waited.count();
    ++host.requests;
  });
  holds_slot_ = true;
  state_ = State::running;
  attempts_.begin();
  if (delivery_) count_try();
  at_head_.reset();
  if (!try_) try_ = std::make_unique<Try>(engine_, static_cast<Try::Owner&>(*this));
  try {
    Wire wire = wire_for(sent_, url_, options_, engine_.options(), engine_.environment());
    wire.ring_bytes = delivery_ ? delivery_->ring_bytes() : 0;
    try_->begin(sent_, wire, limits(), delivery_.get());
  } catch (const Error& error) {
    fail(error);
  }
}

void Exchange::count_try() {
  Arrival& arrival = delivery_->arrival();
  ++arrival.attempts;
  delivered_at_start_ = delivery_->delivered();
  if (attempts_.made() == 1 || !delivery_->is_open()) return;
  ++arrival.resumes;
  engine_.count([](Statistics& statistics) { ++statistics.resumes; });
}

Try::Limits Exchange::limits() const {
  const ClientOptions& client = engine_.options();
  return {.first_byte = options_.first_byte.value_or(client.first_byte),
          .stall_window = options_.stall_window.value_or(client.stall_window),
          .idle_connection = options_.idle_connection.value_or(client.idle_connection),
          .stall_bytes_per_second = options_.stall_bytes_per_second.value_or(client.stall_bytes_per_second),
          .starved = options_.starved,
          .max_body_bytes = options_.max_body_bytes};
}

void Exchange::tick(SteadyTime now) {
  if (options_.call.deadline.passed()) return deadline_passed();
  if (state_ == State::running) return try_->tick(now);
  if (state_ != State::queued || now - queued_at_ < engine_.options().slot_wait) return;
  fail(our_error(Kind::busy, "slot_wait",
                 "no connection came free in time; allow more to this host or ask for less at once"));
}

Try::Use Exchange::use_of(const Head& head) {
  if (delivery_ && delivery_->is_open()) return use_again(head);
  if (head.status() < 200 || head.status() > 299) return Try::Use::keep_error;
  if (!delivery_) return Try::Use::keep;
  at_head_ = policy_->judge(attempt(nullptr));
  if (at_head_->action != Verdict::Action::accept) return Try::Use::stop;
  open_delivery(head);
  return Try::Use::deliver;
}

// The answer to a request for the rest of a body.
Try::Use Exchange::use_again(const Head& head) {
  switch (
      delivery_->resume().check(head.status(), head.headers(), delivery_->delivered(), options_.s3_resume)) {
    case Resume::Answer::whole:
      delivery_->read_over();
      return Try::Use::deliver;
    case Resume::Answer::go_on:
      delivery_->go_on();
      return Try::Use::deliver;
    case Resume::Answer::end:
      at_end_ = true;
      return Try::Use::stop;
    case Resume::Answer::other:
      break;
  }
  return Try::Use::keep_error;
}

void Exchange::open_delivery(const Head& head) {
  Arrival& arrival = delivery_->arrival();
  Resume resume(sent_, head.status(), head.headers());
  arrival.status = head.status();
  arrival.headers = head.headers();
  arrival.url = redact_url(sent_.url);
  arrival.framed = head.headers().has("content-length") || head.headers().has("transfer-encoding");
  delivery_->open(std::move(resume), options_.resume && sent_.method == "GET");
}

void Exchange::ring_is_full() {
  delivery_->on_room(try_->receive_bytes(), go_on());
}

void Exchange::body_is_late() {
  sent_.body->stream()->on_bytes(go_on());
}

// For other threads: the try that is paused may move again.
std::function<void()> Exchange::go_on() {
  return [weak = weak_from_this(), mailbox = mailbox_] {
    mailbox->post([weak] {
      const auto self = weak.lock();
      if (self && self->state_ == State::running) self->try_->go_on();
    });
  };
}

void Exchange::try_ended() {
  release();
  try {
    if (followed()) return;
    delivery_ && delivery_->is_open() ? judge_body() : judge();
  } catch (const Error& error) {
    fail(error);
  }
}

bool Exchange::followed() {
  if (try_->fault()) return false;
  auto next =
      redirected(sent_, try_->head().status(), try_->head().headers(), redirects_, options_.max_redirects);
  if (!next) return false;
  ++redirects_;
  left_behind_ = secrets();  // a Location may hold them
  asked_ = std::move(*next);
  attempts_.refund();
  prepare();
  return true;
}

Attempt Exchange::attempt(const Error* fault) const {
  const Head& head = try_->head();
  return {.number = attempts_.made(),
          .request = sent_,
          .status = fault ? 0 : head.status(),
          .headers = head.headers(),
          .body = try_->kept(),
          .fault = fault,
          .may_have_arrived = try_->may_have_arrived(),
          .at = engine_.clock().wall()};
}

void Exchange::judge() {
  // What libcurl sent again was a try too, whose answer was lost: the policy is told, and what it says is
  // moot.
  const Error lost = our_error(Kind::lost, "reset", "the connection broke");
  for (int repeat = 0; repeat < try_->repeats(); ++repeat) policy_->judge(attempt(&lost));
  const auto& fault = try_->fault();
  if (at_head_ && !fault) return act(std::move(*at_head_));
  act(policy_->judge(attempt(fault ? &*fault : nullptr)));
}

// The body broke, ended, or could not go on.
void Exchange::judge_body() {
  if (at_end_) return succeed();
  auto fault = try_->fault();
  if (!fault && delivery_->error()) fault = delivery_->error();
  const bool answered_well = !fault && try_->head().status() < 300;
  if (answered_well && delivery_->complete()) return succeed();
  if (!fault && !answered_well) return judge();
  if (!fault) fault = our_error(Kind::lost, "short_body", "the body ended before its length");
  if (fault->kind() != Kind::lost || fault->facts().code == code::kNotResumable)
    return fail(std::move(*fault));
  if (!options_.resume || !delivery_->resume().possible()) return fail(not_resumable(*fault));
  count_progress();
  act(policy_->judge(attempt(&*fault)));
}

void Exchange::count_progress() {
  if (delivery_->delivered() - delivered_at_start_ >= kProgressBytes) attempts_.progressed(origin_);
}

void Exchange::act(Verdict verdict) {
  if (verdict.action == Verdict::Action::accept) return succeed();
  Error error =
      verdict.error ? *verdict.error : try_->fault().value_or(our_error(Kind::lost, "", "the try failed"));
  if (!first_failure_) first_failure_ = std::make_shared<Error>(hide(error, secrets()));
  if (verdict.action == Verdict::Action::fail) return fail(std::move(error));
  verdict.error = std::move(error);
  // What may have arrived is not sent again, whatever was answered, unless it may arrive twice.
  const bool again = may_arrive_twice(sent_, options_) || !try_->may_have_arrived();
  wait(attempts_.before_next(
      std::move(verdict), {.origin = origin_, .may_be_sent_again = again, .timed_out = try_->timed_out()}));
}

void Exchange::wait(milliseconds span) {
  state_ = State::waiting;
  engine_.log(LogLevel::info, fmt::format("{} {}: try {} failed, the next in {} ms", asked_.method,
                                          redact_url(asked_.url), attempts_.made(), span.count()));
  backoff_timer_ = engine_.at(engine_.now() + span, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->state_ != State::waiting) return;
    self->backoff_timer_.reset();
    self->prepare();
  });
}

}  // namespace penstock::http
