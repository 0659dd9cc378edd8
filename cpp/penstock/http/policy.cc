#include <algorithm>
#include <cstring>
#include <utility>

#include "penstock/base/redact.h"
#include "penstock/http/request.h"
#include "penstock/http/retry.h"

namespace penstock::http {
namespace {

constexpr std::size_t kQuotedBodyBytes = 256;

class BytesPayload : public Payload {
 public:
  explicit BytesPayload(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override {
    if (offset >= bytes_.size()) return 0;
    const Bytes rest = bytes_.subspan(offset);
    const std::size_t n = std::min(rest.size(), out.size());
    if (n > 0) std::memcpy(out.data(), rest.data(), n);
    return n;
  }

 private:
  Bytes bytes_;
};

class TextPayload : public Payload {
 public:
  explicit TextPayload(std::string text) : text_(std::move(text)) {}
  std::uint64_t size() const override { return text_.size(); }
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override {
    return BytesPayload(as_bytes(text_)).read_at(offset, out);
  }

 private:
  std::string text_;
};

// s3.md section 10.
Kind kind_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return Kind::denied;
    case 404:
    case 410:
      return Kind::missing;
    case 409:
    case 412:
      return Kind::conflict;
    case 429:
      return Kind::busy;
    case 408:
      return Kind::lost;
    case 501:
      return Kind::refused;
    default:
      return status >= 500 || status < 200 ? Kind::lost : Kind::refused;
  }
}

// A passed deadline and a body nobody can continue are `lost` too, but trying again cannot help.
bool may_pass(const Error& fault) {
  return fault.kind() == Kind::lost && fault.facts().code != code::kDeadline &&
         fault.facts().code != code::kNotResumable;
}

Verdict failed(Error error) {
  return {.action = Verdict::Action::fail, .error = std::move(error)};
}

Verdict again(RetryClass retry_class, Error error) {
  return {.action = Verdict::Action::retry, .retry_class = retry_class, .error = std::move(error)};
}

class PlainPolicy : public AttemptPolicy {
 public:
  void prepare(Request&, Ready ready) override { ready(std::nullopt); }

  Verdict judge(const Attempt& attempt) override {
    if (attempt.fault != nullptr)
      return may_pass(*attempt.fault) ? again(RetryClass::transient, *attempt.fault) : failed(*attempt.fault);
    if (attempt.status >= 200 && attempt.status < 300) return Verdict::accept();
    const auto hint = retry_after(attempt.headers, attempt.at);
    Error error = status_error(attempt.status, attempt.request, attempt.body);
    error.facts().retry_after = hint;
    const RetryClass retry_class = classify_status(attempt.status);
    if (retry_class == RetryClass::never) return failed(std::move(error));
    Verdict verdict = again(retry_class, std::move(error));
    verdict.retry_after = hint;
    verdict.amz_retry_after = amz_retry_after(attempt.headers);
    return verdict;
  }
};

}  // namespace

std::shared_ptr<const Payload> text_payload(std::string text) {
  return std::make_shared<TextPayload>(std::move(text));
}

std::shared_ptr<const Payload> borrowed_payload(Bytes bytes) {
  return std::make_shared<BytesPayload>(bytes);
}

std::shared_ptr<AttemptPolicy> plain_policy() {
  return std::make_shared<PlainPolicy>();
}

Error status_error(int status, const Request& request, std::string_view body) {
  Facts facts{.doing = request.method, .subject = redact_url(request.url), .status = status};
  std::string message = facts.doing + " " + facts.subject +
                        (status == 0 ? " got no answer" : " answered " + std::to_string(status));
  if (status >= 300 && status < 400) message += ", which is not followed";
  if (!body.empty()) message += ": " + redact_text(body, kQuotedBodyBytes);
  return Error(kind_of(status), std::move(message), std::move(facts));
}

RetryClass classify_status(int status) {
  switch (status) {
    case 408:
    case 500:
    case 502:
    case 503:
    case 504:
      return RetryClass::transient;
    case 429:
      return RetryClass::throttle;
    default:
      return RetryClass::never;
  }
}

}  // namespace penstock::http
