// The HTTP/1.1 client: one I/O thread, one libcurl multi handle, one pool, one DNS cache.
//
// A GET is a Source (open); a PUT reads a Payload; small whole exchanges hold no thread (submit).
// Retries, redirects, resume, quotas and clocks are here; each header of this room states the rules it keeps.
//
// Life:     close() refuses new work, gives chores up to 10 s, and joins; dying does the same, and so does
//           the process's exit for every client left. After fork() the child's client starts afresh on next
//           use; an inherited live transfer is a logic_error.
// Threads:  shared freely. Callbacks of submit run on the I/O thread: they must not block or throw.
// Memory:   a ring (at most 1 MiB) an open body, libcurl's buffer of 256 KiB (64 for answers kept whole)
//           and as much again for an upload, heads <= 64 KiB.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "penstock/base/budget.h"
#include "penstock/base/call.h"
#include "penstock/base/log.h"
#include "penstock/base/units.h"
#include "penstock/base/workers.h"
#include "penstock/http/address_policy.h"
#include "penstock/http/request.h"
#include "penstock/http/retry.h"
#include "penstock/streams/source.h"

namespace penstock::http {

// s3.md 1.1. Spans in milliseconds so that tests can shrink them.
struct ClientOptions {
  std::optional<int> connections_per_host{};  // unset: 16, and 64 of a store or a queue
  int connections = 256;
  std::chrono::milliseconds slot_wait{60'000};
  std::chrono::milliseconds idle_connection{30'000};
  std::chrono::milliseconds connection_life{300'000};
  std::chrono::milliseconds dns_cache{30'000};
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds first_byte{30'000};
  std::chrono::milliseconds stall_window{30'000};
  std::uint64_t stall_bytes_per_second = 1024;
  std::chrono::milliseconds tick{250};    // how often the I/O thread looks at its clocks
  std::size_t ring_bytes = 1_MiB;         // 64 KiB..8 MiB; less for a smaller body
  bool bulk = false;                      // libcurl buffers of 512 KiB instead of 256
  std::optional<RetryMode> retry_mode{};  // unset: AWS_RETRY_MODE, else standard
  int max_attempts = 0;  // 0: AWS_MAX_ATTEMPTS, else 3, and 5 for GET bodies and whatever asks for 5
  std::chrono::milliseconds max_retry_after{60'000};
  std::string proxy = "env";  // "env", a URL, or "" for none
  std::string ca_bundle;      // "": AWS_CA_BUNDLE, SSL_CERT_FILE, the system's
  bool insecure_skip_verify = false;
  AddressPolicy guard = AddressPolicy::any();
  bool guard_via_proxy = false;
  std::string user_agent;          // "": penstock/<version>
  std::shared_ptr<Budget> budget;  // null: the process default
  std::shared_ptr<Clock> clock;    // null: the system's
  LogSink log;
};

// Per exchange; unset means the client's.
struct CallOptions {
  Call call;
  std::shared_ptr<AttemptPolicy> policy;  // null: plain
  int max_attempts = 0;                   // whatever the client says
  int usual_attempts = 0;                 // unless the client says
  int max_redirects = 0;                  // GET and HEAD only
  bool idempotent = false;                // a POST that may be sent twice
  bool resume = true;                     // open(): continue a broken body by Range
  bool s3_resume = false;                 // If-Match instead of If-Range
  bool chore = false;  // not the caller's: goes on after them, counted, drain() waits for it
  bool expect_continue = false;
  std::optional<AddressPolicy> guard;
  std::optional<std::chrono::milliseconds> first_byte, stall_window;
  std::optional<std::chrono::milliseconds> total;       // like a deadline, counted from the start
  std::optional<std::uint64_t> stall_bytes_per_second;  // 0: any byte is progress
  std::optional<int> connections_per_host;
  std::optional<std::chrono::milliseconds> idle_connection;
  // open(): of the body's ring; and libcurl's buffers. Less than 16 KiB is 16 KiB.
  std::optional<std::size_t> ring_bytes, receive_bytes, upload_bytes;
  // How long an UploadStream may leave the far end without a byte: then the try fails, as `starved`.
  std::chrono::milliseconds starved{15'000};
  std::size_t max_body_bytes = 8_MiB;  // send, submit: over is Error(corrupt)
  std::string proxy = "client";        // or as in ClientOptions
};

// A response body. status() is 2xx: anything else was thrown by open().
class Body : public Source {
 public:
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  virtual const std::string& url() const = 0;  // the last hop's, for people: redacted
  virtual bool framed() const = 0;             // false: neither length nor chunks; a cut cannot be seen
  virtual int attempts() const = 0;
  virtual int resumes() const = 0;
};

struct HostStatistics {
  int open = 0, idle = 0, waiting = 0;
  std::uint64_t created = 0, reused = 0, requests = 0;
  double waited_seconds = 0;
  std::map<std::string, std::uint64_t> failed_by_kind;
};

struct Statistics {
  std::map<std::string, HostStatistics> hosts;  // "https://host:port"
  std::map<std::string, std::uint64_t> retries_by_class;
  std::map<std::string, int> quota_tokens;  // by host
  std::uint64_t resumes = 0, restarts = 0, bytes_in = 0, bytes_out = 0, ring_bytes = 0;
  // Rings, and libcurl's buffers of what is under way; TLS aside.
  std::uint64_t buffers_used = 0, buffers_peak = 0;
  std::uint64_t budget_used = 0, budget_peak = 0, budget_overdraft = 0;
  int parts_in_flight = 0;
  std::uint64_t parts_retried = 0;
  int uploads_open = 0;
  std::uint64_t uploads_aborted = 0, uploads_orphaned = 0, credential_fetches = 0, skew_corrections = 0,
                guard_blocks = 0;
  int chores = 0;
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The one process-wide client that everything uses unless given another. Replaceable; made on first use.
  static std::shared_ptr<Client> process_default();
  static void set_process_default(std::shared_ptr<Client> replacement);

  // Small and whole. Throws Error unless the policy accepts.
  Response send(Request request, CallOptions options = {});
  // The same, holding no thread. `done` runs exactly once, on the I/O thread.
  void submit(Request request, CallOptions options, std::function<void(Outcome)> done);
  // Returns once the head is in. The Body keeps options.call.
  std::unique_ptr<Body> open(Request request, CallOptions options = {});
  // A body of so many bytes for a request that is about to be submitted; upload_stream.h says how.
  std::shared_ptr<UploadStream> upload_stream(std::uint64_t bytes, Call call = {});

  // Runs `job` on the I/O thread soon / after a span. For chores and backoff of the rooms above.
  void post(std::function<void()> job);
  void post_after(std::chrono::milliseconds span, std::function<void()> job);

  // A chore made of several exchanges and waits: pending, for drain() and close(), while a copy lives.
  std::shared_ptr<void> chore();

  // Waits until no chore is pending. Error(lost, deadline) past the call's deadline.
  void drain(const Call& call = {});
  void close();
  // Closes every client of the process, together: for who knows better than exit() when the end has come. The
  // exit does it for whoever does not. Pending chores get 10 s, all in all.
  static void close_all();

  Statistics statistics() const;
  // The rooms above count here what statistics() shows: uploads, credentials, skew. Lock held while `change`
  // runs.
  void count(const std::function<void(Statistics&)>& change);

  const ClientOptions& options() const;
  const std::shared_ptr<Budget>& budget() const;
  Clock& clock() const;
  Workers& workers();
  Workers& hashers();  // for what pipelines on workers() wait for: one thread a core
  void log(LogLevel level, std::string_view room, std::string_view line) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::http
