// What is asked, what comes back, and who judges an attempt.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "penstock/base/bytes.h"
#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/http/headers.h"

namespace penstock::http {

class UploadStream;

// A request body that can be sent again. Read on the I/O thread: must not block.
class Payload {
 public:
  virtual ~Payload() = default;
  virtual std::uint64_t size() const = 0;
  // Copies from `offset` into `out`; returns how much, which is less than asked only at the end.
  virtual std::size_t read_at(std::uint64_t offset, MutableBytes out) const = 0;
  // What it is if it is made while it is sent, and not there to be read: then read_at() throws.
  virtual const UploadStream* stream() const { return nullptr; }
};

std::shared_ptr<const Payload> text_payload(std::string text);
std::shared_ptr<const Payload> borrowed_payload(Bytes bytes);  // must stay until the exchange is over

struct Request {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::vector<std::string>
      secret_headers;  // dropped when a redirect leaves the origin, as Authorization always is
  std::shared_ptr<const Payload> body;
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
  std::string url;  // the last hop's
  int attempts = 1;
};

using Outcome = std::variant<Response, Error>;

// s3.md 1.3: how a failure is retried, and what it costs.
enum class RetryClass { transient, throttle, mend, never };

// One finished try, as the policy sees it.
struct Attempt {
  int number = 1;
  const Request& request;  // as sent, prepared
  int status = 0;          // 0: no answer
  const Headers& headers;  // of the answer
  std::string_view body;   // a whole small body, or the first 16 KiB of an error body
  const Error* fault =
      nullptr;  // transport failure, already typed (lost, refused/tls, denied/address-guard ...)
  bool may_have_arrived = true;  // false: no byte of the request left
  WallTime at;                   // by the client's clock
};

struct Verdict {
  enum class Action { accept, retry, fail };
  Action action = Action::accept;
  RetryClass retry_class = RetryClass::never;
  std::optional<Error> error;  // for fail; for retry, what is thrown if tries run out
  std::optional<std::chrono::milliseconds> retry_after;      // Retry-After, waited max(t, hint)
  std::optional<std::chrono::milliseconds> amz_retry_after;  // x-amz-retry-after, clamped to [t, t + 5 s]
  static Verdict accept() { return {}; }
};

// The values in a request that no error may show, whoever echoes them: of Authorization, Cookie and their
// like, of the headers its caller marked, of the query fields that sign.
std::vector<std::string> secret_values(const Request& request);

// Shapes a request before each try and judges each try. Lives on the I/O thread: never blocks.
class AttemptPolicy {
 public:
  // Call once: prepared, or the reason it cannot be. Any thread.
  using Ready = std::function<void(std::optional<Error>)>;
  virtual ~AttemptPolicy() = default;
  virtual void prepare(Request& request, Ready ready) = 0;  // `request` lives until `ready` is called
  // The connection is there: from here on something of the request may reach the far end.
  virtual void about_to_send() {}
  virtual Verdict judge(const Attempt& attempt) = 0;
  // What it prepared with and no error may show, beside what the request itself carries. Not called while it
  // prepares.
  virtual std::vector<std::string> secrets() const { return {}; }
};

// Statuses and transport only; 2xx is accepted, the rest becomes an Error by s3.md section 10.
std::shared_ptr<AttemptPolicy> plain_policy();

// The Error a status means when nothing better is known; `body` is quoted, redacted and cut.
Error status_error(int status, const Request& request, std::string_view body);

// s3.md 1.3's status column: 408 500 502 503 504 transient, 429 throttle, the rest never.
RetryClass classify_status(int status);

}  // namespace penstock::http
