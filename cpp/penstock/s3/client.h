// One bucket's requests carried out: addressed, signed, judged, the region mended, the provider learnt.
//
// Life:     shared by the store and everything it has under way.
// Threads:  shared freely; callbacks of submit() run on the I/O thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/aws/credentials.h"
#include "penstock/http/client.h"
#include "penstock/s3/address.h"
#include "penstock/s3/config.h"
#include "penstock/s3/endpoint.h"
#include "penstock/store/object.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {

// What the tries of one exchange left behind, for those who must know whether a request may have landed.
// Written on the I/O thread; read once the exchange is over.
struct Trace {
  std::atomic<bool> sent{false};  // a try had its connection: something of it may have gone out
  std::atomic<int> lost{0};       // tries whose effect is unknown: reset, timeout, 5xx other than throttling
};

// How a request is sent, and what an error of it should say.
struct Sending {
  Call call = {};
  std::string key = {};  // whole, prefix included; "": the bucket
  std::string doing = {};
  Side side = Side::none;
  int usual_attempts = 0;  // where the client says nothing; 0: as http has it
  bool once = false;       // one try; only mends (skew, token, region) repeat it
  bool chore = false;
  bool error_in_200 = false;
  bool carries_checksum = false;  // a refusal of it gets kChecksumRefused as its code
  std::optional<std::chrono::milliseconds> first_byte = {}, stall_window = {}, total = {};
  std::optional<std::uint64_t> stall_bytes_per_second = {};  // 0: any byte is enough
  std::optional<std::size_t> max_body_bytes = {};            // of an answer that is kept; over is corrupt
  std::shared_ptr<Trace> trace = {};
};

using Done = std::function<void(http::Outcome)>;

// GET bodies, PutObject, UploadPart and Complete (s3.md 1.3).
inline constexpr int kBodyAttempts = 5;

class Client : public std::enable_shared_from_this<Client> {
 public:
  explicit Client(Config config);
  // Another bucket behind the same endpoint, with the same connections and credentials.
  std::shared_ptr<Client> with_bucket(std::string_view bucket) const;

  // HEAD of an object, which asks for its checksums unless they are not verified: they need a key of KMS.
  http::Request head(const std::string& full_key, const store::ReadOptions& options) const;
  http::Response send(http::Request request, const Sending& how);
  void submit(http::Request request, const Sending& how, Done done);
  std::unique_ptr<http::Body> open(http::Request request, const Sending& how);

  // Whether requests of ours can read the other's bucket: one endpoint, one set of credentials.
  bool reaches(const Client& other) const;

  Address address() const;                            // where the bucket is, as far as known
  std::string full_key(std::string_view key) const;   // prefix joined, checked
  std::string location(std::string_view full) const;  // s3://bucket/key
  Call with_deadline(Call call) const;                // Config::deadline where the call has none

  int body_attempts() const;  // kBodyAttempts, unless the http client was given another number

  const Capabilities& capabilities(const Call& call);  // may ask: HeadBucket, once an endpoint
  // What a write asks for: "auto", "none" or an algorithm. Error(refused) for one that does not combine.
  const std::string& checksum_choice(const store::WriteOptions& options) const;
  // Of writes, as far as the row is known. Only "auto" leaves it out where the endpoint refused one.
  std::optional<Algorithm> write_checksum(const std::string& choice) const;
  Endpoint& endpoint() const { return *endpoint_; }
  // Whether a condition on a request that the row knows so may be relied on.
  bool honours(Support support) const {
    return support == Support::yes ||
           (support == Support::unknown && config_.conditional == Conditional::trust);
  }
  bool verifies_reads() const { return verifies_reads_; }

  std::string presign(const std::string& method, std::string_view full_key, std::chrono::seconds expires,
                      const http::Headers& headers, const Query& query, const Call& call);

  aws::Credentials credentials(const Call& call) const;  // may wait for a provider

  // What no error may show; http sees to its own, this is for those made of a body that came with a 200.
  std::vector<std::string> secrets(const Call& call) const;

  // SSE-C: of one call, else the store's; "": none.
  std::string customer_key(std::string_view given = {}) const;

  const Config& config() const { return config_; }
  http::Client& http() const { return *http_; }
  WallTime server_now() const;  // by what the endpoint's answers taught of its clock

 private:
  Client(const Client& sibling, std::string_view bucket);
  http::CallOptions options_for(const http::Request& request, const Sending& how);
  std::shared_ptr<http::AttemptPolicy> policy_for(const Sending& how);
  std::string move_region(const std::string& region, const http::Request& request);
  Error located(Error error, const Sending& how) const;

  Config config_;
  std::shared_ptr<http::Client> http_;
  std::shared_ptr<aws::CredentialCache> credentials_;
  std::shared_ptr<Endpoint> endpoint_;
  bool sends_checksums_ = true, verifies_reads_ = true;
  mutable std::mutex mutex_;
  Address address_;
};

// Given to a refusal that is about the checksum we sent and not about the bytes: re-send without.
inline constexpr std::string_view kChecksumRefused = "checksum_refused";
bool refuses_checksums(const Error& error);

// The far end counted other bytes than we sent.
bool is_digest_mismatch(const Error& error);

}  // namespace penstock::s3
