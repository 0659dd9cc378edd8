#include "penstock/files/fetch.h"

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "penstock/files/origin_digests.h"
#include "penstock/files/transfer_progress.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/stages.h"

namespace penstock::files {
namespace {

// Runs one end's work; an Error that does not say which end it came from gets `side`.
template <class Work>
auto at(Side side, Work work) {
  try {
    return work();
  } catch (Error& error) {
    if (error.facts().side == Side::none) error.facts().side = side;
    throw;
  }
}

Call with_deadline(Call call, const FileTask& task) {
  if (!task.deadline) return call;
  const Deadline own = Deadline::after(*task.deadline);
  if (!call.deadline.set() || *own.at() < *call.deadline.at()) call.deadline = own;
  return call;
}

// Of a relayed transfer: the download's buffers, and what both sides hold together at most.
constexpr std::size_t kRelayRingBytes = 64_KiB, kRelayReceiveBytes = 32_KiB;
constexpr std::uint64_t kRelayHeldBytes = 320_KiB;

http::CallOptions opening(const FileTask& task, const FetchOptions& options, const Call& call) {
  http::CallOptions opening{.call = call,
                            .max_redirects = task.max_redirects,
                            .guard = options.guard,
                            .connections_per_host = options.connections_per_origin};
  if (task.relay) {
    opening.ring_bytes = kRelayRingBytes;
    opening.receive_bytes = kRelayReceiveBytes;
  }
  return opening;
}

http::Request request_of(const FileTask& task) {
  http::Request request{.url = task.url, .headers = task.headers};
  for (const auto& field : task.headers) request.secret_headers.push_back(field.first);
  return request;
}

Error over_limit(std::uint64_t seen, const FileTask& task) {
  return {Kind::refused,
          "File size " + std::to_string(seen) + " bytes exceeds maximum " + std::to_string(task.max_bytes) +
              " bytes",
          {.side = Side::source, .doing = "GET", .code = std::string{penstock::code::kTooLarge}}};
}

Error size_mismatch(std::uint64_t expected, std::uint64_t actual) {
  return {Kind::corrupt,
          "File size mismatch. Expected: " + std::to_string(expected) + ", Actual: " + std::to_string(actual),
          {.side = Side::source,
           .doing = "verify",
           .code = std::string{code::kSize},
           .expected = std::to_string(expected),
           .actual = std::to_string(actual)}};
}

// The caller gave `written`, perhaps in base64: the other value is told the same way.
Error checksum_mismatch(const std::string& expected, const std::string& actual) {
  return {Kind::corrupt,
          "Checksum validation failed. Expected: " + expected + ", Actual: " + actual,
          {.side = Side::source,
           .doing = "verify",
           .code = std::string{code::kChecksum},
           .expected = expected,
           .actual = actual}};
}

void require_whole(const http::Body& body) {
  if (body.status() == 200) return;
  throw Error{Kind::refused,
              "Failed to download file: HTTP " + std::to_string(body.status()),
              {.side = Side::source, .doing = "GET", .subject = body.url(), .status = body.status()}};
}

// Neither length nor chunks: a cut looks like an end, unless something else would tell.
void refuse_unframed(const http::Body& body, const FileTask& task) {
  if (body.framed() || task.allow_unframed || task.expected_bytes || !task.checksum.empty()) return;
  throw Error{
      Kind::refused,
      "the response has neither a length nor chunks, so a cut could not be seen: give expected_bytes, a "
      "checksum or allow_unframed",
      {.side = Side::source,
       .doing = "GET",
       .subject = body.url(),
       .code = std::string{penstock::code::kUnframed}}};
}

void refuse_length(std::optional<std::uint64_t> length, const FileTask& task) {
  if (!length) return;
  if (*length > task.max_bytes) throw over_limit(*length, task);
  if (task.expected_bytes && *length != *task.expected_bytes)
    throw size_mismatch(*task.expected_bytes, *length);
}

store::WriteOptions attributes_of(const http::Body& body, const FileTask& task) {
  store::WriteOptions options{
      .mode = task.mode, .length = body.remaining(), .metadata = task.metadata, .reap = true};
  const std::string_view sent_type = body.headers().get("content-type");
  options.content_type = !task.content_type.empty() ? task.content_type
                         : !sent_type.empty()       ? std::string{sent_type}
                                                    : "application/octet-stream";
  options.content_encoding = body.headers().get("content-encoding");
  options.tags = task.tags;
  options.relay = task.relay;
  options.storage_class = task.storage_class;
  options.sse = task.sse;
  options.kms_key_id = task.kms_key_id;
  if (!task.task_id.empty()) options.metadata["taskid"] = task.task_id;
  if (!task.job_id.empty()) options.metadata["jobid"] = task.job_id;
  if (!task.file_name.empty()) options.metadata["originalfilename"] = task.file_name;
  const auto expected = expected_digest(task);
  if (expected && expected->algorithm() == Algorithm::sha256)
    options.metadata["penstock-sha256"] = expected->hex();
  return options;
}

// Every digest is computed once, whoever asked for it.
std::vector<Algorithm> algorithms_of(const FileTask& task, const std::vector<Digest>& sent) {
  std::set<Algorithm> wanted{task.digests.begin(), task.digests.end()};
  if (const auto expected = expected_digest(task)) wanted.insert(expected->algorithm());
  for (const Digest& digest : sent) wanted.insert(digest.algorithm());
  return {wanted.begin(), wanted.end()};
}

// Eight characters may be a CRC32 either way; only base64 then ends in '='.
bool given_as_base64(const FileTask& task, const Digest& expected) {
  const auto colon = task.checksum.find(':');
  const std::size_t characters = task.checksum.size() - (colon == std::string::npos ? 0 : colon + 1);
  return characters != 2 * expected.raw().size() || task.checksum.ends_with('=');
}

void verify(const Hash& hashed, std::uint64_t bytes, const std::vector<Digest>& sent, const FileTask& task) {
  if (task.expected_bytes && bytes != *task.expected_bytes) throw size_mismatch(*task.expected_bytes, bytes);
  if (const auto expected = expected_digest(task)) {
    const Digest actual = hashed.digest(expected->algorithm());
    if (!actual.equals(*expected)) {
      const bool base64 = given_as_base64(task, *expected);
      throw base64 ? checksum_mismatch(expected->base64(), actual.base64())
                   : checksum_mismatch(expected->hex(), actual.hex());
    }
  }
  for (const Digest& digest : sent) {
    const Digest actual = hashed.digest(digest.algorithm());
    if (!actual.equals(digest)) throw checksum_mismatch(digest.hex(), actual.hex());
  }
}

// What Limit stopped, in this system's words: everything up to the first byte over the limit was seen.
std::uint64_t write_limited(Sink& object, Source& hashed, const FileTask& task) {
  try {
    return object.write_from(hashed);
  } catch (const Error& error) {
    if (error.facts().code == penstock::code::kTooLarge && error.facts().side == Side::source) {
      throw over_limit(task.max_bytes + 1, task);
    }
    throw;
  }
}

// What the transfer will hold, but for what the store takes beyond by itself.
std::uint64_t held_bytes(const http::Body& body, const store::WriteOptions& writing, store::ObjectStore& to,
                         const Call& call) {
  const bool relays = writing.relay && body.repeat_obstacle().empty() &&
                      at(Side::sink, [&] { return to.relays(writing, call); });
  return std::min(relays ? kRelayHeldBytes : 8_MiB, body.remaining().value_or(8_MiB));
}

Receipt transfer(http::Client& web, const FileTask& task, store::ObjectStore& to, const FetchOptions& options,
                 const Call& call, TransferProgress& progress) {
  const auto body =
      at(Side::source, [&] { return web.open(request_of(task), opening(task, options, call)); });
  require_whole(*body);
  refuse_length(body->remaining(), task);  // before the first byte
  refuse_unframed(*body, task);
  const std::vector<Digest> sent =
      task.verify_headers ? origin_digests(body->headers()) : std::vector<Digest>{};
  const TransferProgress::Attempt attempt{progress, *body};
  progress.enter(TransferState::downloading);
  store::WriteOptions writing = attributes_of(*body, task);
  const auto admitted = options.admit ? options.admit(held_bytes(*body, writing, to, call), call) : nullptr;

  Limit limited{*body, task.max_bytes};
  Meter metered{limited, call.progress};
  Hash hashed{metered, algorithms_of(task, sent)};
  Count counted{hashed};
  const auto object = at(Side::sink, [&] { return to.open_writer(task.key, writing, call); });
  at(Side::sink, [&] {
    write_limited(*object, counted, task);
    return 0;
  });
  progress.enter(TransferState::verifying);
  verify(hashed, counted.bytes(), sent, task);  // before anything is visible
  progress.enter(TransferState::publishing);
  Receipt receipt = at(Side::sink, [&] { return object->finish(); });
  receipt.digests.merge(hashed.digests());
  receipt.resumes = body->resumes();
  receipt.attempts = std::max(receipt.attempts, body->attempts());
  return receipt;
}

bool worth_a_restart(const Error& error) {
  return error.facts().side == Side::source && (error.facts().code == penstock::code::kChanged ||
                                                error.facts().code == penstock::code::kNotResumable);
}

Receipt transfer_with_restarts(http::Client& web, const FileTask& task, store::ObjectStore& to,
                               const FetchOptions& options, const Call& call, TransferProgress& progress) {
  FileTask now = task;
  for (int restarts = 0;; ++restarts) {
    try {
      Receipt receipt = transfer(web, now, to, options, call, progress);
      receipt.restarts = restarts;
      if (task.relay && receipt.mode_reason.empty()) receipt.mode_reason = store::kNothingToRelay;
      if (task.relay && !now.relay) receipt.mode_reason = "the source could not be read again";
      return receipt;
    } catch (const Error& error) {
      if (!worth_a_restart(error) || restarts >= options.max_restarts) throw;
      if (error.facts().code == penstock::code::kNotResumable) now.relay = false;
      web.log(LogLevel::warning, "files", "starting again from byte 0: " + error.message());
      web.count([](http::Statistics& all) { ++all.restarts; });
    }
  }
}

// The object this very task left earlier, or nothing. Metadata decides, and the size and digest the task
// names.
std::optional<Receipt> already_there(const FileTask& task, store::ObjectStore& to, const Call& call) {
  const auto found = at(Side::sink, [&] { return to.find(task.key, call); });
  if (!found || task.task_id.empty()) return std::nullopt;
  const auto& said = found->metadata;
  const auto is = [&](const char* name, const std::string& value) {
    const auto at = said.find(name);
    return at != said.end() && at->second == value;
  };
  if (!is("taskid", task.task_id)) return std::nullopt;
  if (task.expected_bytes && found->bytes != *task.expected_bytes) return std::nullopt;
  const auto expected = expected_digest(task);
  if (expected && !is("penstock-sha256", expected->hex())) {
    const auto kept = found->digests.find(std::string{to_string(expected->algorithm())});
    if (kept == found->digests.end() || kept->second != expected->hex()) return std::nullopt;
  }
  Receipt receipt{.bytes = found->bytes, .location = to.location(task.key), .etag = found->etag};
  std::tie(receipt.bucket, receipt.key) = to.place(task.key);
  receipt.version_id = found->version_id;
  receipt.mode = "skipped";
  return receipt;
}

Receipt fetch_validated(http::Client& web, const FileTask& task, store::ObjectStore& to,
                        const FetchOptions& options) {
  TransferProgress progress{options.call.progress};
  Call call = with_deadline(options.call, task);
  call.progress = progress.for_call();
  const auto elsewhere = task.bucket.empty() ? nullptr : to.with_bucket(task.bucket);
  store::ObjectStore& target = elsewhere ? *elsewhere : to;
  return progress.run([&] {
    if (task.skip_existing) {
      if (auto receipt = already_there(task, target, call)) return *std::move(receipt);
    }
    return transfer_with_restarts(web, task, target, options, call, progress);
  });
}

std::string_view outcome_of(const Error& error) {
  return error.kind() == Kind::cancelled ? "cancelled" : "failed";
}

// `begin` refuses a task that is not valid: that is a failed file too.
template <typename Begin>
Receipt fetch_counted(http::Client& web, const FileTask& task, store::ObjectStore& to,
                      const FetchOptions& options, Begin begin) {
  Metrics::Running running{options.metrics.get()};
  try {
    begin();
    Receipt receipt = fetch_validated(web, task, to, options);
    running.end(receipt.mode == "skipped" ? "skipped" : "completed", "");
    return receipt;
  } catch (const Error& error) {
    running.end(outcome_of(error), to_string(error.kind()));
    throw;
  }
}

class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock) : clock_(clock), begun_(clock.now()) {}
  double seconds() const { return std::chrono::duration<double>(clock_.now() - begun_).count(); }

 private:
  const Clock& clock_;
  SteadyTime begun_;
};

FileResult process_logged(http::Client& web, const FileTask& task, store::ObjectStore& to,
                          const FetchOptions& options) {
  const Stopwatch watch{web.clock()};
  Receipt receipt = fetch_counted(web, task, to, options, [&] {
    validate(task);
    web.log(LogLevel::info, "files",
            "Processing file task " + task.task_id + " for job " + task.job_id + ": " + task.file_name);
  });
  receipt.seconds = watch.seconds();
  FileResult result = succeeded(task, std::move(receipt));
  result.duration_ms = static_cast<std::int64_t>(result.receipt.seconds * 1000);
  result.skipped = result.receipt.mode == "skipped";
  if (const auto expected = expected_digest(task); expected && !result.skipped) {
    web.log(LogLevel::info, "files", "Checksum validation passed: " + expected->hex());
  }
  web.log(LogLevel::info, "files",
          "Successfully processed file task " + task.task_id + " in " + std::to_string(result.duration_ms) +
              "ms. Size: " + std::to_string(*result.bytes) + " bytes");
  return result;
}

FileResult failed_logged(http::Client& web, const FileTask& task, const Error& error,
                         std::int64_t duration_ms) {
  FileResult result = failed(task, error);
  result.duration_ms = duration_ms;
  web.log(LogLevel::error, "files",
          "Failed to process file task " + task.task_id + ": " + result.error_message);
  return result;
}

}  // namespace

Receipt fetch(http::Client& web, const FileTask& task, store::ObjectStore& to, const FetchOptions& options) {
  const Stopwatch watch{web.clock()};
  Receipt receipt = fetch_counted(web, task, to, options, [&] { validate_transfer(task); });
  receipt.seconds = watch.seconds();
  return receipt;
}

FileResult process(http::Client& web, const FileTask& task, store::ObjectStore& to,
                   const FetchOptions& options) noexcept {
  const Stopwatch watch{web.clock()};
  const auto elapsed = [&] { return static_cast<std::int64_t>(watch.seconds() * 1000); };
  try {
    return process_logged(web, task, to, options);
  } catch (const Error& error) {
    return failed_logged(web, task, error, elapsed());
  } catch (const std::exception& unknown) {  // a foreign store's own exception, or no memory
    return failed_logged(web, task, Error{Kind::lost, unknown.what(), {}}, elapsed());
  } catch (...) {
    return failed_logged(web, task, Error{Kind::lost, ""}, elapsed());
  }
}

}  // namespace penstock::files
