#include "penstock/aws/signing_policy.h"

#include <thread>

#include <fmt/format.h>

#include "penstock/aws/clock_offsets.h"
#include "penstock/aws/dates.h"
#include "penstock/aws/payload_hash.h"
#include "penstock/aws/sign.h"
#include "penstock/http/client.h"
#include "penstock/http/http_date.h"
#include "penstock/http/retry.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

using http::Attempt;
using http::RetryClass;
using http::Verdict;

// AWS accepts a clock up to 15 min off; a signature refused while the clocks agree within 5 is refused for
// another reason.
constexpr std::chrono::minutes kTolerated{5};

bool means_token_expired(std::string_view code) {
  return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "TokenRefreshRequired";
}

// Codes that a wrong clock also produces. A HEAD is refused without a word.
bool may_mean_skew(std::string_view code, int status) {
  for (std::string_view known : {"SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired",
                                 "RequestInTheFuture", "AuthFailure", "ExpiredRequest"})
    if (code == known) return true;
  return code.empty() && status == 403;
}

bool may_mean_wrong_region(std::string_view code, int status) {
  if (status == 301 || status == 302 || status == 307) return true;
  if (code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException") return true;
  return code.empty() && status == 400;
}

std::string host_of(const http::Request& request) {
  return http::Url::parse(request.url).host;
}

// Threads: prepare() and judge() are called on the client's I/O thread; credentials may come on another.
// Life:    an exchange of `client_` owns it, so it must not own the client: the last reference would die on
//          the client's own thread. `client_` is used on that thread only, where it is alive.
class SigningPolicy : public http::AttemptPolicy, public std::enable_shared_from_this<SigningPolicy> {
 public:
  SigningPolicy(const std::shared_ptr<http::Client>& client, std::shared_ptr<CredentialCache> credentials,
                SigningOptions options)
      : client_(client.get()),
        clock_(client->options().clock ? client->options().clock : Clock::system()),
        credentials_(std::move(credentials)),
        options_(std::move(options)),
        offsets_(ClockOffsets::of(client)),
        plain_(http::plain_policy()) {}

  void prepare(http::Request& request, Ready ready) override;
  Verdict judge(const Attempt& attempt) override;
  // The token and the signature are in the request.
  std::vector<std::string> secrets() const override { return {used_.secret_access_key}; }

 private:
  void sign_with(http::Request& request, const Loaded& loaded, const Ready& ready);
  void hash_and_sign(http::Request& request, const Ready& ready);
  void sign_now(http::Request& request, const std::string& payload);

  std::optional<ServiceError> said_by(const Attempt& attempt) const;
  bool mend_skew(const Attempt& attempt, const ServiceError& said);
  bool mend_token(const ServiceError& said);
  bool mend_region(const Attempt& attempt, const ServiceError& said);
  Verdict judge_silence(const Attempt& attempt, const ServiceError& said);
  Verdict judge_failure(const Attempt& attempt, const ServiceError& said);

  http::Client* client_;
  std::shared_ptr<Clock> clock_;
  std::shared_ptr<CredentialCache> credentials_;
  SigningOptions options_;
  std::shared_ptr<ClockOffsets> offsets_;
  std::shared_ptr<http::AttemptPolicy> plain_;

  std::thread::id io_thread_;
  Credentials used_;
  WallTime signed_at_;
  std::string payload_;    // once hashed: the body is the same at every try
  std::string moved_url_;  // "": where the caller said
  bool mended_skew_ = false, mended_token_ = false, mended_region_ = false;
};

void SigningPolicy::prepare(http::Request& request, Ready ready) {
  if (!moved_url_.empty()) request.url = moved_url_;
  io_thread_ = std::this_thread::get_id();
  credentials_->get([self = shared_from_this(), &request, ready = std::move(ready)](const Loaded& loaded) {
    self->sign_with(request, loaded, ready);
  });
}

void SigningPolicy::sign_with(http::Request& request, const Loaded& loaded, const Ready& ready) {
  if (const auto* error = std::get_if<Error>(&loaded)) return ready(*error);
  used_ = std::get<Credentials>(loaded);
  if (used_.anonymous) return ready(std::nullopt);
  try {
    if (payload_.empty())
      payload_ = payload_without_hashing(request, http::Url::parse(request.url), options_);
    const bool is_long = payload_.empty() && request.body && request.body->size() > kSmallBodyBytes;
    if (!is_long || std::this_thread::get_id() != io_thread_) return hash_and_sign(request, ready);
    // Hashing a part takes milliseconds, which the I/O thread does not have. Not on workers(): all of those
    // may be pipelines that wait for this.
    client_->hashers().run(
        [self = shared_from_this(), &request, ready] { self->hash_and_sign(request, ready); });
  } catch (const Error& error) {
    ready(error);
  }
}

void SigningPolicy::hash_and_sign(http::Request& request, const Ready& ready) {
  std::optional<Error> failed;
  try {
    if (payload_.empty()) payload_ = hash_payload(request.body.get());
    sign_now(request, payload_);
  } catch (const Error& error) {
    failed = error;
  } catch (const std::exception& error) {
    failed = Error{
        Kind::refused, fmt::format("the request could not be signed: {}", error.what()), {.doing = "sign"}};
  }
  ready(std::move(failed));
}

void SigningPolicy::sign_now(http::Request& request, const std::string& payload) {
  signed_at_ = clock_->wall() + offsets_->of_host(host_of(request));
  auto signed_request = sign({.method = request.method,
                              .url = request.url,
                              .headers = request.headers,
                              .service = options_.service,
                              .region = options_.region,
                              .now = signed_at_,
                              .payload = payload},
                             used_);
  request.url = std::move(signed_request.url);
  request.headers = std::move(signed_request.headers);
}

// Empty fields for a failure that says nothing, as every answer to a HEAD; nullopt where there is no answer
// or nothing wrong with it.
std::optional<ServiceError> SigningPolicy::said_by(const Attempt& attempt) const {
  if (attempt.fault || attempt.status == 0) return std::nullopt;
  auto said = parse_service_error(attempt.status, attempt.headers, attempt.body);
  if (attempt.status >= 300) return said ? said : ServiceError{};
  if (!options_.error_in_200 || attempt.status != 200) return std::nullopt;
  // A 200 is sent before the work is done: one whose body was cut off is a work that failed.
  if (!said && !is_whole_xml(attempt.body))
    said = ServiceError{.code = "InternalError", .message = "the answer ends before its XML does"};
  return said;
}

Verdict SigningPolicy::judge(const Attempt& attempt) {
  const auto said = said_by(attempt);
  if (!said) return plain_->judge(attempt);
  const bool mended = mend_skew(attempt, *said) || mend_token(*said) || mend_region(attempt, *said);
  if (!mended) return said->code.empty() ? judge_silence(attempt, *said) : judge_failure(attempt, *said);
  return {.action = Verdict::Action::retry,
          .retry_class = RetryClass::mend,
          .error = service_error(attempt, *said)};
}

// No code, as of a HEAD, but perhaps the ids that the service's people ask for.
Verdict SigningPolicy::judge_silence(const Attempt& attempt, const ServiceError& said) {
  Verdict verdict = plain_->judge(attempt);
  if (!verdict.error) return verdict;
  const Facts ids = service_error(attempt, said).facts();
  verdict.error->facts().request_id = ids.request_id;
  verdict.error->facts().host_id = ids.host_id;
  return verdict;
}

// The code decides before the status: RequestTimeout is a 400.
Verdict SigningPolicy::judge_failure(const Attempt& attempt, const ServiceError& said) {
  const auto retry_class = classify_code(said.code).value_or(http::classify_status(attempt.status));
  Verdict verdict{.action = retry_class == RetryClass::never ? Verdict::Action::fail : Verdict::Action::retry,
                  .retry_class = retry_class,
                  .error = service_error(attempt, said),
                  .retry_after = http::retry_after(attempt.headers, attempt.at),
                  .amz_retry_after = http::amz_retry_after(attempt.headers)};
  verdict.error->facts().retry_after = verdict.retry_after;
  return verdict;
}

bool SigningPolicy::mend_skew(const Attempt& attempt, const ServiceError& said) {
  const bool certain = said.code == "RequestTimeTooSkewed";
  if (mended_skew_ || used_.anonymous || (!certain && !may_mean_skew(said.code, attempt.status)))
    return false;
  auto server = parse_iso8601(said.server_time);
  if (!server) server = http::parse_http_date(attempt.headers.get("Date"));
  if (!server) return false;
  if (!certain && *server - signed_at_ <= kTolerated && signed_at_ - *server <= kTolerated) return false;
  mended_skew_ = true;
  offsets_->learn(host_of(attempt.request), *server - attempt.at);
  client_->count([](http::Statistics& statistics) { ++statistics.skew_corrections; });
  return true;
}

bool SigningPolicy::mend_token(const ServiceError& said) {
  if (mended_token_ || !means_token_expired(said.code)) return false;
  mended_token_ = true;
  credentials_->force_refresh(used_);
  return true;
}

bool SigningPolicy::mend_region(const Attempt& attempt, const ServiceError& said) {
  if (mended_region_ || !options_.move_region || !may_mean_wrong_region(said.code, attempt.status))
    return false;
  if (said.region.empty() || said.region == options_.region) return false;
  auto url = options_.move_region(said.region, attempt.request);
  if (url.empty()) return false;
  mended_region_ = true;
  options_.region = said.region;
  moved_url_ = std::move(url);
  return true;
}

}  // namespace

std::shared_ptr<http::AttemptPolicy> signing_policy(const std::shared_ptr<http::Client>& client,
                                                    std::shared_ptr<CredentialCache> credentials,
                                                    SigningOptions options) {
  return std::make_shared<SigningPolicy>(client, std::move(credentials), std::move(options));
}

WallTime corrected_now(http::Client& client, const std::string& host) {
  const auto offsets = ClockOffsets::find(client);
  return client.clock().wall() + (offsets ? offsets->of_host(host) : std::chrono::system_clock::duration{0});
}

}  // namespace penstock::aws
