#include "penstock/s3/put_object.h"

#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/pending.h"

namespace penstock::s3 {
namespace {

// Notices when its last byte was taken: from then on the object may exist.
class WatchedBody : public http::Payload {
 public:
  explicit WatchedBody(PayloadPtr inner) : inner_(std::move(inner)), read_whole_(inner_->size() == 0) {}
  std::uint64_t size() const override { return inner_->size(); }
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::size_t count = inner_->read_at(offset, out);
    if (offset + count >= inner_->size()) read_whole_ = true;
    return count;
  }
  bool read_whole() const { return read_whole_; }

 private:
  PayloadPtr inner_;
  mutable std::atomic<bool> read_whole_;
};

class SinglePut : public std::enable_shared_from_this<SinglePut> {
 public:
  SinglePut(std::shared_ptr<Client> client, const Identity& identity, const store::Mode& mode,
            http::Headers headers, PayloadPtr body, Deadline deadline)
      : client_(std::move(client)),
        identity_(identity),
        mode_(mode),
        headers_(std::move(headers)),
        body_(std::make_shared<WatchedBody>(std::move(body))),
        deadline_(deadline) {}

  void send() {
    http::Headers headers = headers_;
    add_condition(headers, mode_);
    if (identity_.checksum) {
      headers.add("x-amz-checksum-" + std::string{to_string(identity_.checksum->algorithm())},
                  identity_.checksum->base64());
    }
    client_->submit(
        put_object(client_->address(), identity_.key, std::move(headers), body_), sending("PUT"),
        [self = shared_from_this()](http::Outcome outcome) { self->on_answer(std::move(outcome)); });
  }

  PublishOutcome wait(const Call& call) {
    try {
      return outcome_.wait(call, "PUT");
    } catch (const Error&) {
      stop_.request_stop();
      PublishOutcome last = outcome_.wait_out();  // within 200 ms: the exchange was stopped
      const auto* error = std::get_if<Error>(&last);
      if (!error || error->kind() == Kind::in_doubt) return last;
      throw;
    } catch (...) {
      stop_.request_stop();
      outcome_.wait_out();
      throw;
    }
  }

 private:
  Sending sending(const char* doing) {
    return {.call = {.stop = stop_.get_token(), .deadline = deadline_},
            .key = identity_.key,
            .doing = doing,
            .side = Side::sink,
            .usual_attempts = kBodyAttempts,
            .carries_checksum = identity_.checksum.has_value(),
            .trace = trace_};
  }

  void on_answer(http::Outcome outcome) {
    if (auto* response = std::get_if<http::Response>(&outcome)) return on_response(*response);
    Error& error = std::get<Error>(outcome);
    if (cut_short(error)) return finish(body_->read_whole() && trace_->sent ? doubt(error) : error);
    if (identity_.checksum && !identity_.checksum_by_name && refuses_checksums(error)) {
      client_->endpoint().refuse_checksums();
      identity_.checksum.reset();
      return send();
    }
    // libcurl repeats what a dead pooled connection swallowed: a condition may fail against our own object.
    const bool by_token = !identity_.token.empty();
    const bool condition_failed = error.facts().status == 412 && (trace_->lost > 0 || by_token);
    if (condition_failed || (is_lost_answer(error) && trace_->lost > 0)) return settle(std::move(error));
    if (is_gone_under(mode_, error)) return finish(gone(error));
    if (!is_digest_mismatch(error)) return finish(std::move(error));
    // A try before this one may have arrived as it was sent.
    trace_->lost > 0 ? settle(corrupt(error)) : finish(corrupt(error));
  }

  void on_response(const http::Response& response) {
    if (auto plain = not_encrypted(identity_.customer_key, response.headers)) {
      return take_back(response, *std::move(plain));
    }
    const std::string said =
        identity_.checksum ? full_checksum(response.headers, to_string(identity_.checksum->algorithm())) : "";
    if (!said.empty() && said != identity_.checksum->base64()) return take_back(response, other_bytes(said));
    finish(Published{std::string{response.headers.get("etag")},
                     std::string{response.headers.get("x-amz-version-id")}, response.attempts});
  }

  // What was stored is not what we sent: it must not stay visible.
  void take_back(const http::Response& response, Error error) {
    client_->submit(delete_object(client_->address(), identity_.key, response.headers.get("etag")),
                    taking_back(identity_.key),
                    [self = shared_from_this(), error = std::move(error)](const http::Outcome& outcome) {
                      self->finish(taken_back(error, outcome));
                    });
  }

  Error other_bytes(const std::string& said) const {
    return Error{Kind::corrupt,
                 "the server stored other bytes of " + client_->location(identity_.key) +
                     " than were sent: its checksum differs",
                 {.side = Side::sink,
                  .doing = "PUT",
                  .subject = client_->location(identity_.key),
                  .expected = identity_.checksum->base64(),
                  .actual = said}};
  }

  void settle(Error lost) {
    Sending how = sending("settle PUT");
    how.trace = nullptr;
    look(client_, identity_, how, [self = shared_from_this(), lost = std::move(lost)](Found found) {
      self->on_found(std::move(found), lost);
    });
  }

  void on_found(Found found, const Error& lost) {
    switch (found.what) {
      case Found::What::ours:
        return finish(std::move(found.object));
      case Found::What::absent:
      case Found::What::older:
        return finish(lost);
      case Found::What::another:
        // With a condition, somebody else's object is the reason why ours was not taken.
        if (mode_.kind != store::Mode::Kind::overwrite && lost.facts().status == 412) return finish(lost);
        break;
      case Found::What::damaged:
        break;
      case Found::What::unknown:
        if (trace_->lost == 0) return finish(lost);  // a condition that failed at the only try
        break;
    }
    finish(doubt(lost));
  }

  static bool cut_short(const Error& error) {
    return error.kind() == Kind::cancelled || error.facts().code == code::kDeadline;
  }
  Error doubt(const Error& cause) const { return in_doubt(*client_, identity_.key, cause); }

  static Error corrupt(const Error& said) {
    Facts facts = said.facts();
    facts.cause = std::make_shared<const Error>(said);
    return Error{Kind::corrupt, "the body did not arrive as it was sent: " + said.message(),
                 std::move(facts)};
  }

  void finish(PublishOutcome outcome) { outcome_.set(std::move(outcome)); }

  std::shared_ptr<Client> client_;
  Identity identity_;
  store::Mode mode_;
  http::Headers headers_;
  std::shared_ptr<WatchedBody> body_;
  Deadline deadline_;
  std::stop_source stop_;
  std::shared_ptr<Trace> trace_ = std::make_shared<Trace>();
  Pending<PublishOutcome> outcome_;
};

}  // namespace

Published put_object_and_settle(const std::shared_ptr<Client>& client, const Identity& identity,
                                const store::Mode& mode, http::Headers headers, PayloadPtr body,
                                const Call& call) {
  base::check(call, "PUT");
  const auto put =
      std::make_shared<SinglePut>(client, identity, mode, std::move(headers), std::move(body), call.deadline);
  put->send();
  PublishOutcome outcome = put->wait(call);
  if (auto* error = std::get_if<Error>(&outcome)) throw std::move(*error);
  return std::get<Published>(std::move(outcome));
}

}  // namespace penstock::s3
