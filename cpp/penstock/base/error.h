// The one error type. Its kind says what the caller does next; its facts say what happened, where, to what.
//
// Nothing in penstock decides by reading message text: decide by kind(), facts().code or facts().status.
// Secrets are removed by whoever builds an Error (base/redact.h), so an Error may be printed and logged as it
// is.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

enum class Kind {
  missing,    // create it, or accept that it is not there
  denied,     // fix credentials or rights
  refused,    // fix the request or the input
  conflict,   // re-read, then decide: someone else won
  corrupt,    // do not trust the bytes
  busy,       // wait and try again
  lost,       // reconnect and try again; our own retries are spent
  in_doubt,   // look before retrying: it may have happened
  cancelled,  // nothing; you asked for it
};

std::string_view to_string(Kind kind);

// Which end of a pipeline failed. Set where the throw starts: a body says source, a writer says sink.
enum class Side { none, source, sink };

std::string_view to_string(Side side);

class Error;

// What is known besides the kind. Empty, zero or nullopt means "not known" or "does not apply".
// Every member is initialised, so that {.doing = .., .code = ..} may leave out the rest.
struct Facts {
  Side side = Side::none;
  std::string doing{};       // the step, as a verb phrase: "GET", "upload part 3", "open"
  std::string subject{};     // what it was done to: a URL without query and userinfo, s3://bucket/key, a path
  int status = 0;            // HTTP status
  std::string code{};        // the far end's or our own machine-readable code: "NoSuchKey", "deadline", "tls"
  std::string request_id{};  // x-amz-request-id
  std::string host_id{};     // x-amz-id-2
  int attempts = 0;          // tries made, the first included
  std::optional<std::chrono::milliseconds> retry_after{};
  std::uint64_t bytes_done = 0;
  bool quota_exhausted = false;
  std::string upload_id{};               // an upload that may be left open
  std::string expected{}, actual{};      // corrupt: the two values that differ
  std::shared_ptr<const Error> cause{};  // the first failure under this one
};

class Error : public std::exception {
 public:
  // `message` is the sentence a person reads: what, where, what to do.
  Error(Kind kind, std::string message, Facts facts = {});

  Kind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const Facts& facts() const noexcept { return facts_; }
  Facts& facts() noexcept { return facts_; }  // layers add what they know while it passes
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Kind kind_;
  std::string message_;
  Facts facts_;
};

// The codes penstock itself gives; far ends add theirs.
namespace code {
inline constexpr std::string_view kDeadline =
    "deadline";                                  // lost: a passed deadline (Python: TimeoutError too)
inline constexpr std::string_view kTls = "tls";  // refused: certificate or handshake
inline constexpr std::string_view kAddressGuard = "address-guard";  // denied
inline constexpr std::string_view kStalled = "stalled";             // lost: too slow for too long
inline constexpr std::string_view kChanged = "changed";             // conflict: the source is not what it was
inline constexpr std::string_view kNotResumable =
    "not_resumable";                                        // lost: broken, and no validator to resume by
inline constexpr std::string_view kUnframed = "unframed";   // refused: a cut could not be seen
inline constexpr std::string_view kTooLarge = "too_large";  // refused: over a limit the caller set
}  // namespace code

}  // namespace penstock
