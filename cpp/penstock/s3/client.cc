#include "penstock/s3/client.h"

#include <algorithm>
#include <cctype>

#include "penstock/aws/payload_hash.h"
#include "penstock/aws/sign.h"
#include "penstock/aws/signing_policy.h"
#include "penstock/base/redact.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/verbs.h"
#include "penstock/store/object_store.h"

namespace penstock::s3 {
namespace {

constexpr int kConnectionsPerHost = 64;
// S3 closes idle connections at about 5 s.
constexpr std::chrono::seconds kIdleConnection{4};
constexpr std::uint64_t kExpectContinueBytes = 1_MiB;
// Of a relayed part, which has a ring of its own; answers are short.
constexpr std::size_t kRelayUploadBytes = 64_KiB, kRelayReceiveBytes = 16_KiB;

bool names(std::string_view text, std::string_view word) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

bool means_digest_mismatch(std::string_view code) {
  return code == "BadDigest" || code == "XAmzContentChecksumMismatch" ||
         code == "XAmzContentSHA256Mismatch" || code == "InvalidDigest";
}

// s3.md 3.1: "a 400/501 naming a checksum or trailer". Services give no code of its own for it, so this is
// the one place that reads words, and only the service's own; a wrong guess costs one more request.
bool refuses_checksum(const http::Attempt& attempt) {
  if (attempt.status != 400 && attempt.status != 501) return false;
  const auto said = aws::parse_service_error(attempt.status, attempt.headers, attempt.body);
  if (!said || means_digest_mismatch(said->code)) return false;
  return names(said->code, "checksum") || names(said->message, "checksum") || names(said->message, "trailer");
}

// Stands before the signing policy: keeps the trace, and teaches the endpoint from whatever answers.
class TracingPolicy : public http::AttemptPolicy {
 public:
  TracingPolicy(std::shared_ptr<http::AttemptPolicy> inner, std::shared_ptr<Endpoint> endpoint,
                const Sending& how)
      : inner_(std::move(inner)),
        endpoint_(std::move(endpoint)),
        trace_(how.trace),
        once_(how.once),
        carries_checksum_(how.carries_checksum) {}

  void prepare(http::Request& request, Ready ready) override { inner_->prepare(request, std::move(ready)); }

  void about_to_send() override {
    if (trace_) trace_->sent = true;
  }

  http::Verdict judge(const http::Attempt& attempt) override {
    // A 5xx may be a proxy speaking.
    if (attempt.status != 0 && attempt.status < 500) endpoint_->learn(attempt.headers.get("server"));
    http::Verdict verdict = inner_->judge(attempt);
    if (lost_its_folder(attempt, verdict)) {
      verdict.action = http::Verdict::Action::retry;
      verdict.retry_class = http::RetryClass::transient;
    }
    const bool failed = verdict.action == http::Verdict::Action::fail && verdict.error;
    if (carries_checksum_ && failed && refuses_checksum(attempt))
      verdict.error->facts().code = kChecksumRefused;
    if (trace_ && effect_unknown(attempt, verdict)) ++trace_->lost;
    const bool again = verdict.action == http::Verdict::Action::retry;
    if (once_ && again && verdict.retry_class != http::RetryClass::mend) {
      verdict.action = http::Verdict::Action::fail;
    }
    return verdict;
  }

  std::vector<std::string> secrets() const override { return inner_->secrets(); }

 private:
  // A put has no key to miss: a server on a file system had its folder removed under it, as it was the last
  // object's there. A copy has its source's to miss, a part its upload's, and If-Match names one.
  static bool lost_its_folder(const http::Attempt& attempt, const http::Verdict& verdict) {
    return attempt.request.method == "PUT" && verdict.error && verdict.error->facts().code == "NoSuchKey" &&
           !attempt.request.headers.has("x-amz-copy-source") && !attempt.request.headers.has("if-match");
  }
  static bool effect_unknown(const http::Attempt& attempt, const http::Verdict& verdict) {
    if (verdict.action == http::Verdict::Action::accept || !attempt.may_have_arrived) return false;
    if (verdict.retry_class == http::RetryClass::throttle) return false;  // refused before it was looked at
    return attempt.status == 0 || attempt.status == 200 || attempt.status >= 500;
  }

  std::shared_ptr<http::AttemptPolicy> inner_;
  std::shared_ptr<Endpoint> endpoint_;
  std::shared_ptr<Trace> trace_;
  bool once_, carries_checksum_;
};

aws::ChainInputs chain_inputs(const Config& config) {
  aws::ChainInputs inputs = config.credentials ? *config.credentials : aws::ChainInputs::from_process();
  if (!config.region.empty()) inputs.region_hint = config.region;
  return inputs;
}

const Capabilities* known_row(const Config& config, const std::string& endpoint) {
  if (config.row) return config.row.get();
  if (!config.provider.empty()) return &provider_row(config.provider);
  if (endpoint.empty()) return &provider_row("aws");
  return row_by_host(http::Url::parse(endpoint).host);
}

std::string region_of(const Config& config, const aws::ChainInputs& inputs, const std::string& endpoint,
                      const Capabilities* row) {
  if (!config.region.empty()) return config.region;
  if (row && !row->region.empty()) return row->region;
  if (!endpoint.empty()) {
    const std::string host = http::Url::parse(endpoint).host;
    if (auto named = region_in_host(host)) return *named;
    if (row && !region_in_host(*row, host).empty()) return region_in_host(*row, host);
  }
  return aws::region_for(inputs);
}

bool optional_ones_off(const aws::ChainInputs& inputs, const char* variable) {
  const auto found = inputs.environment.find(variable);
  if (found == inputs.environment.end()) return false;
  std::string value = found->second;
  std::ranges::transform(value, value.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return value == "when_required";
}

void check_checksum(const std::string& choice) {
  if (choice == "auto" || choice == "none") return;
  const Algorithm algorithm = parse_algorithm(choice);
  const bool combines =
      algorithm == Algorithm::crc64nvme || algorithm == Algorithm::crc32c || algorithm == Algorithm::crc32;
  if (combines) return;
  throw Error{Kind::refused, "checksum=\"" + choice +
                                 "\" is no whole-object checksum of a multipart upload; use auto, none, "
                                 "crc64nvme, crc32c or crc32, and verify other digests with expected="};
}

void check_config(const Config& config) {
  customer_key_headers(config.sse_customer_key);
  check_checksum(config.checksum);
  if (config.max_parts_in_flight < 1 || config.max_parts_in_flight > 64) {
    throw Error{Kind::refused, "max_parts_in_flight must be 1 to 64"};
  }
}

aws::SigningOptions::Payload payload_choice(const std::string& sign_payload) {
  using Payload = aws::SigningOptions::Payload;
  if (sign_payload == "always") return Payload::hash;
  if (sign_payload == "never") return Payload::is_unsigned;
  if (sign_payload == "auto") return Payload::automatic;
  throw Error{Kind::refused, "sign_payload is auto, always or never"};
}

}  // namespace

Client::Client(Config config) : config_(std::move(config)) {
  check_config(config_);
  payload_choice(config_.sign_payload);
  const aws::ChainInputs inputs = chain_inputs(config_);
  const std::string endpoint = config_.endpoint.empty() ? aws::endpoint_for(inputs, "s3") : config_.endpoint;
  const Capabilities* row = known_row(config_, endpoint);
  address_ = make_address(endpoint, config_.bucket, region_of(config_, inputs, endpoint, row),
                          config_.addressing, row);
  if (row && row->https_only && address_.endpoint.scheme != "https") {
    throw Error{Kind::refused, "the provider \"" + row->provider + "\" speaks https only, not " +
                                   address_.endpoint.display()};
  }
  customer_key();
  http_ = config_.client ? config_.client : http::Client::process_default();
  credentials_ = aws::credentials_for(inputs, http_);
  endpoint_ = std::make_shared<Endpoint>(row);
  sends_checksums_ = !optional_ones_off(inputs, "AWS_REQUEST_CHECKSUM_CALCULATION");
  verifies_reads_ = !optional_ones_off(inputs, "AWS_RESPONSE_CHECKSUM_VALIDATION");
}

Client::Client(const Client& sibling, std::string_view bucket)
    : config_(sibling.config_),
      http_(sibling.http_),
      credentials_(sibling.credentials_),
      endpoint_(sibling.endpoint_),
      sends_checksums_(sibling.sends_checksums_),
      verifies_reads_(sibling.verifies_reads_) {
  const Address theirs = sibling.address();
  config_.bucket = bucket;
  address_ =
      make_address(theirs.endpoint.text(), bucket, theirs.region, config_.addressing, endpoint_->row());
}

std::shared_ptr<Client> Client::with_bucket(std::string_view bucket) const {
  return std::shared_ptr<Client>(new Client{*this, bucket});
}

http::Request Client::head(const std::string& full_key, const store::ReadOptions& options) const {
  http::Request request = head_object(address(), full_key, options);
  if (!verifies_reads_) request.headers.remove("x-amz-checksum-mode");
  return request;
}

http::Response Client::send(http::Request request, const Sending& how) {
  mark_customer_keys(request);
  http::CallOptions options = options_for(request, how);
  try {
    return http_->send(std::move(request), std::move(options));
  } catch (Error& error) {
    throw located(std::move(error), how);
  }
}

void Client::submit(http::Request request, const Sending& how, Done done) {
  mark_customer_keys(request);
  http::CallOptions options = options_for(request, how);
  http_->submit(std::move(request), std::move(options),
                [self = shared_from_this(), how, done = std::move(done)](http::Outcome outcome) {
                  if (auto* error = std::get_if<Error>(&outcome))
                    outcome = self->located(std::move(*error), how);
                  done(std::move(outcome));
                });
}

std::unique_ptr<http::Body> Client::open(http::Request request, const Sending& how) {
  mark_customer_keys(request);
  http::CallOptions options = options_for(request, how);
  options.s3_resume = true;
  try {
    return http_->open(std::move(request), std::move(options));
  } catch (Error& error) {
    throw located(std::move(error), how);
  }
}

http::CallOptions Client::options_for(const http::Request& request, const Sending& how) {
  const Capabilities* row = endpoint_->row();
  http::CallOptions options;
  options.call = how.call;
  options.policy = policy_for(how);
  options.usual_attempts = how.usual_attempts;
  options.chore = how.chore;
  // What must not happen twice is settled by token, not by never re-sending; but whoever counts tries wants
  // no silent ones of libcurl's.
  options.idempotent = !how.once;
  options.first_byte = how.first_byte;
  options.stall_window = how.stall_window;
  options.total = how.total;
  options.stall_bytes_per_second = how.stall_bytes_per_second;
  if (how.max_body_bytes) options.max_body_bytes = *how.max_body_bytes;
  options.connections_per_host = http_->options().connections_per_host.value_or(kConnectionsPerHost);
  if (row && row->closes_early) options.idle_connection = kIdleConnection;
  if (request.body && request.body->stream()) {
    options.upload_bytes = kRelayUploadBytes;
    options.receive_bytes = kRelayReceiveBytes;
  }
  options.expect_continue =
      row && row->expects_continue && request.body && request.body->size() >= kExpectContinueBytes;
  return options;
}

std::shared_ptr<http::AttemptPolicy> Client::policy_for(const Sending& how) {
  aws::SigningOptions signing;
  signing.region = address().region;
  signing.payload = payload_choice(config_.sign_payload);
  signing.error_in_200 = how.error_in_200;
  signing.move_region = [weak = weak_from_this()](const std::string& region, const http::Request& request) {
    const auto self = weak.lock();
    return self ? self->move_region(region, request) : std::string{};
  };
  return std::make_shared<TracingPolicy>(aws::signing_policy(http_, credentials_, std::move(signing)),
                                         endpoint_, how);
}

std::string Client::move_region(const std::string& region, const http::Request& request) {
  if (!is_region_name(region)) return {};
  const std::lock_guard lock{mutex_};
  address_ = address_.in_region(region);
  return address_.moved(request.url);
}

Error Client::located(Error error, const Sending& how) const {
  Facts& facts = error.facts();
  facts.subject = location(how.key);
  if (!how.doing.empty()) facts.doing = how.doing;
  if (facts.side == Side::none) facts.side = how.side;
  return error;
}

bool Client::reaches(const Client& other) const {
  const auto given_id = [](const Client& client) {
    const auto& inputs = client.config_.credentials;
    return inputs && inputs->given ? inputs->given->access_key_id : std::string{};
  };
  const std::string ours = given_id(*this);
  const bool same_keys = credentials_ == other.credentials_ || (!ours.empty() && ours == given_id(other));
  return same_keys && address().endpoint.text() == other.address().endpoint.text();
}

int Client::body_attempts() const {
  const int given = http_->options().max_attempts;
  return given > 0 ? given : kBodyAttempts;
}

Address Client::address() const {
  const std::lock_guard lock{mutex_};
  return address_;
}

std::string Client::full_key(std::string_view key) const {
  std::string full = config_.prefix + std::string{key};
  store::check_key(key);
  store::check_key(full);
  return full;
}

std::string Client::location(std::string_view full) const {
  return "s3://" + config_.bucket + "/" + std::string{full};
}

std::string Client::customer_key(std::string_view given) const {
  std::string key = given.empty() ? config_.sse_customer_key : std::string{given};
  if (!key.empty() && address().endpoint.scheme == "http" && !aws::is_loopback(address().endpoint)) {
    throw Error{Kind::refused, "sse_customer_key does not go over plain http to another machine: use https"};
  }
  return key;
}

Call Client::with_deadline(Call call) const {
  if (!call.deadline.set() && config_.deadline) call.deadline = Deadline::after(*config_.deadline);
  return call;
}

const Capabilities& Client::capabilities(const Call& call) {
  return endpoint_->wait_for_row(call,
                                 [&] { send(head_bucket(address()), {.call = call, .doing = "HEAD"}); });
}

const std::string& Client::checksum_choice(const store::WriteOptions& options) const {
  if (options.checksum.empty()) return config_.checksum;
  check_checksum(options.checksum);
  return options.checksum;
}

std::optional<Algorithm> Client::write_checksum(const std::string& choice) const {
  if (choice == "none") return std::nullopt;
  if (choice != "auto") return parse_algorithm(choice);
  if (!endpoint_->takes_checksums()) return std::nullopt;
  const Capabilities* row = endpoint_->row();
  if (!sends_checksums_ || !row || row->checksum.empty()) return std::nullopt;
  return parse_algorithm(row->checksum);
}

std::string Client::presign(const std::string& method, std::string_view full_key,
                            std::chrono::seconds expires, const http::Headers& headers, const Query& query,
                            const Call& call) {
  const Address at = address();
  aws::SignInput input;
  input.method = method;
  input.url = at.object_url(full_key, query);
  input.headers = headers;
  input.region = at.region;
  input.now = server_now();
  return aws::presign(input, credentials_->wait(call), expires);
}

aws::Credentials Client::credentials(const Call& call) const {
  return credentials_->wait(call);
}

std::vector<std::string> Client::secrets(const Call& call) const {
  const aws::Credentials used = credentials_->wait(call);
  return {used.secret_access_key, used.session_token};
}

WallTime Client::server_now() const {
  return aws::corrected_now(*http_, http::Url::parse(address().bucket_url()).host);
}

bool refuses_checksums(const Error& error) {
  return error.facts().code == kChecksumRefused;
}

bool is_digest_mismatch(const Error& error) {
  return means_digest_mismatch(error.facts().code);
}

}  // namespace penstock::s3
