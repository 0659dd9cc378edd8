#include "penstock/aws/key_client.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/aws/cache.h"
#include "penstock/aws/key_answer.h"
#include "penstock/aws/service_error.h"
#include "penstock/aws/signing_policy.h"
#include "penstock/http/http_date.h"

namespace penstock::aws {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 * 1024;
// Of all tries with their waits: a far end that trickles must not hold a load for ever.
constexpr int kTotalFactor = 4;
constexpr std::chrono::minutes kTolerated{5};

// Signs and judges as `inner` does, but lets it see no body that is no error document: it would be quoted.
class KeyPolicy : public http::AttemptPolicy {
 public:
  KeyPolicy(std::shared_ptr<http::AttemptPolicy> inner, std::vector<std::string> secrets)
      : inner_(std::move(inner)), secrets_(std::move(secrets)) {}

  void prepare(http::Request& request, Ready ready) override { inner_->prepare(request, std::move(ready)); }
  void about_to_send() override { inner_->about_to_send(); }
  http::Verdict judge(const http::Attempt& attempt) override {
    http::Attempt quiet = attempt;
    if (!parse_service_error(attempt.status, attempt.headers, attempt.body)) quiet.body = {};
    return inner_->judge(quiet);
  }
  std::vector<std::string> secrets() const override {
    auto all = inner_->secrets();
    all.insert(all.end(), secrets_.begin(), secrets_.end());
    return all;
  }

 private:
  std::shared_ptr<http::AttemptPolicy> inner_;
  std::vector<std::string> secrets_;
};

bool stays(Kind kind) {
  return kind == Kind::lost || kind == Kind::busy || kind == Kind::cancelled;
}

bool is_region(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

KeyClient::KeyClient(std::string name, http::ClientOptions options, Patience patience,
                     http::AddressPolicy guard)
    : name_(std::move(name)), patience_(patience), guard_(std::move(guard)) {
  options.connect = options.first_byte = options.stall_window = patience_.time;
  options.tick = std::min(options.tick, std::max(patience_.time / 4, std::chrono::milliseconds{10}));
  client_ = std::make_shared<http::Client>(std::move(options));
}

KeyClient KeyClient::metadata(std::string name, http::ClientOptions options, Patience patience,
                              http::AddressPolicy guard) {
  options.proxy = "";
  return {std::move(name), std::move(options), patience, std::move(guard)};
}

KeyClient KeyClient::service(std::string name, http::ClientOptions options) {
  return {std::move(name), std::move(options), Patience{}, http::AddressPolicy::any()};
}

http::CallOptions KeyClient::options_for(const Call& call, const Asking& how) const {
  http::CallOptions options;
  options.call = call;
  options.max_attempts = patience_.tries;
  options.idempotent = how.twice;
  options.guard = guard_;
  options.total = kTotalFactor * patience_.tries * patience_.time;
  options.max_body_bytes = kMaxAnswerBytes;
  options.policy = std::make_shared<KeyPolicy>(
      signing_policy(client_, fixed_cache(how.keys.value_or(Credentials{.anonymous = true})),
                     {.service = "sts", .region = how.region, .payload = SigningOptions::Payload::hash}),
      how.secrets);
  return options;
}

// An endpoint's answer is never the answer of what the keys are for.
Error KeyClient::told(const Error& error) const {
  auto told = credentials_error(stays(error.kind()) ? error.kind() : Kind::denied,
                                fmt::format("{}: {}", name_, error.message()), error.facts().subject);
  told.facts().retry_after = error.facts().retry_after;
  told.facts().cause = std::make_shared<Error>(error);
  return told;
}

KeyAnswer KeyClient::ask(http::Request request, const Call& call, const Asking& how) const {
  try {
    auto response = client_->send(std::move(request), options_for(call, how));
    const auto theirs = http::parse_http_date(response.headers.get("Date"));
    const auto ahead = theirs ? client_->clock().wall() - *theirs : std::chrono::seconds{0};
    return {.body = std::move(response.body), .ahead = ahead > kTolerated ? ahead : decltype(ahead){0}};
  } catch (const Error& error) {
    throw told(error);
  }
}

void KeyClient::warn(std::string_view line) const {
  client_->log(LogLevel::warning, "aws", line);
}

std::string key_service_url(const ChainInputs& inputs, std::string_view service, std::string_view host,
                            const std::string& region) {
  if (auto named = endpoint_for(inputs, service); !named.empty()) {
    while (named.ends_with('/')) named.pop_back();
    return named;
  }
  if (!is_region(region))
    throw credentials_error(
        Kind::refused, fmt::format("{} cannot be asked for keys: its region is none; set AWS_REGION", host));
  return fmt::format("https://{}.{}.{}", host, region,
                     region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com");
}

}  // namespace penstock::aws
