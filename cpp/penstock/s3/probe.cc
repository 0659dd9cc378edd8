#include "penstock/s3/probe.h"

#include "penstock/base/uuid.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/upload.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

enum class Outcome { done, condition_failed, refused };

class Probe {
 public:
  Probe(std::shared_ptr<Client> client, const Call& call)
      : client_(std::move(client)),
        call_(call),
        key_(client_->full_key(".penstock-probe-" + random_uuid())) {}

  void run() {
    client_->capabilities(call_);
    try {
      const Support put = judge([this](const store::Mode& mode) { return put_under(mode); });
      remove();
      const Support complete = judge([this](const store::Mode& mode) { return complete_under(mode); });
      remove();
      client_->endpoint().proved(put, complete);
    } catch (...) {
      remove_quietly();
      throw;
    }
  }

 private:
  // The first creates; the second must not, and no replacement of another version either.
  template <typename Write>
  Support judge(Write write) {
    trace_ = std::make_shared<Trace>();
    const Outcome first = write(store::Mode::create());
    // A condition that fails against our own try, whose answer was lost, says nothing of the provider.
    if (first == Outcome::condition_failed && trace_->lost > 0) throw no_verdict();
    if (first != Outcome::done) return Support::no;
    if (write(store::Mode::create()) != Outcome::condition_failed) return Support::no;
    const auto another = store::Mode::if_match("\"00000000000000000000000000000000\"");
    return write(another) == Outcome::condition_failed ? Support::yes : Support::no;
  }

  static Error no_verdict() {
    return Error{Kind::lost,
                 "an answer was lost while the provider was probed; probe again",
                 {.side = Side::sink, .doing = "probe"}};
  }

  Sending sending(const char* doing) const {
    return {.call = call_,
            .key = key_,
            .doing = doing,
            .side = Side::sink,
            .error_in_200 = true,
            .trace = trace_};
  }

  Outcome put_under(const store::Mode& mode) {
    http::Headers headers;
    add_condition(headers, mode);
    return outcome_of([&] {
      Sending how = sending("probe");
      how.error_in_200 = false;
      client_->send(put_object(client_->address(), key_, std::move(headers), http::text_payload("1")), how);
    });
  }

  Outcome complete_under(const store::Mode& mode) {
    Identity identity{.key = key_, .begun = client_->server_now()};
    const auto flight = std::make_shared<Flight>();
    MultipartUpload upload{client_, flight, identity, {.mode = mode}, call_};
    Sending how = sending("probe");
    how.error_in_200 = false;
    const http::Response part =
        client_->send(upload_part(client_->address(), upload.name(), 1, {}, http::text_payload("1")), how);
    const CompletedPart parts[] = {{1, std::string{part.headers.get("etag")}}};
    http::Headers headers;
    add_condition(headers, mode);
    const Outcome outcome = outcome_of([&] {
      client_->send(complete_upload(client_->address(), upload.name(), parts, {}, std::move(headers)),
                    sending("probe"));
    });
    if (outcome == Outcome::done) upload.completed();
    return outcome;  // else the upload aborts as it dies
  }

  template <typename Send>
  static Outcome outcome_of(Send send) {
    try {
      send();
      return Outcome::done;
    } catch (const Error& error) {
      const int status = error.facts().status;
      if (status == 412 || status == 409) return Outcome::condition_failed;
      if (error.kind() == Kind::refused) return Outcome::refused;  // 400, 501: it knows no conditions
      throw;
    }
  }

  void remove() { client_->send(delete_object(client_->address(), key_, {}), sending("probe")); }

  void remove_quietly() noexcept {
    try {
      client_->submit(delete_object(client_->address(), key_, {}),
                      {.key = key_, .doing = "probe", .chore = true}, [](const http::Outcome&) {});
    } catch (const std::exception&) {  // a client that is closed
    }
  }

  std::shared_ptr<Client> client_;
  Call call_;
  std::string key_;
  std::shared_ptr<Trace> trace_;
};

}  // namespace

void probe(const std::shared_ptr<Client>& client, const Call& call) {
  Probe{client, call}.run();
}

}  // namespace penstock::s3
