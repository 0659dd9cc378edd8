#include "penstock/s3/get_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "penstock/base/wait.h"
#include "penstock/disk/file_sink.h"
#include "penstock/disk/system_error.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/reader.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

constexpr std::uint64_t kRangeBytes = 8_MiB;
constexpr int kMostLanes = 64;  // the connections to one host
constexpr std::array kCombining{Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32};
constexpr std::chrono::milliseconds kBetweenReports{100};

// An object that a range's condition no longer finds.
Error changed(const Error& error) {
  if (error.facts().status != 412) return error;
  Facts facts = error.facts();
  facts.code = code::kChanged;
  return Error{Kind::conflict, "the object was replaced while it was read: " + error.message(),
               std::move(facts)};
}

// What the lanes share.
class Ranges {
 public:
  Ranges(std::uint64_t bytes, std::optional<Algorithm> algorithm) : bytes_(bytes), algorithm_(algorithm) {
    digests_.resize(static_cast<std::size_t>((bytes + kRangeBytes - 1) / kRangeBytes));
  }

  std::optional<std::uint64_t> take() {
    const std::lock_guard lock{mutex_};
    if (fault_ || next_ == digests_.size()) return std::nullopt;
    return next_++;
  }
  store::Range range(std::uint64_t index) const {
    const std::uint64_t first = index * kRangeBytes;
    return {.first = first, .last = std::min(first + kRangeBytes, bytes_) - 1};
  }
  std::uint64_t size(std::uint64_t index) const { return *range(index).last - *range(index).first + 1; }
  std::optional<Algorithm> algorithm() const { return algorithm_; }

  void got(std::uint64_t bytes) {
    const std::lock_guard lock{mutex_};
    done_ += bytes;
    changed_.notify_all();
  }
  void landed(std::uint64_t index, std::optional<Digest> digest) {
    const std::lock_guard lock{mutex_};
    digests_[static_cast<std::size_t>(index)] = std::move(digest);
  }
  void failed(std::exception_ptr fault) {
    {
      const std::lock_guard lock{mutex_};
      if (!fault_) fault_ = std::move(fault);
    }
    stop_.request_stop();
  }
  void lane_ended() {
    const std::lock_guard lock{mutex_};
    ++ended_;
    changed_.notify_all();
  }

  // Until all lanes have ended, `tell`ing how many bytes there are; throws the first fault.
  void wait(int lanes, const Call& call, const std::function<void(std::uint64_t)>& tell) {
    std::uint64_t told = 0;
    std::unique_lock lock{mutex_};
    while (ended_ < lanes) {
      base::wait(changed_, lock, call, "get file", [&] { return ended_ == lanes || done_ > told; });
      told = done_;
      lock.unlock();
      tell(told);
      lock.lock();
    }
    if (fault_) std::rethrow_exception(fault_);
  }
  std::optional<Digest> whole() const {
    std::optional<Digest> whole;
    for (std::uint64_t index = 0; index < digests_.size(); ++index) {
      const auto& part = digests_[static_cast<std::size_t>(index)];
      if (!part) return std::nullopt;
      whole = whole ? combine(*whole, *part, size(index)) : *part;
    }
    return whole;
  }
  std::stop_token stop() const { return stop_.get_token(); }
  void request_stop() { stop_.request_stop(); }

 private:
  const std::uint64_t bytes_;
  const std::optional<Algorithm> algorithm_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::stop_source stop_;
  std::vector<std::optional<Digest>> digests_;
  std::exception_ptr fault_;
  std::uint64_t next_ = 0, done_ = 0;
  int ended_ = 0;
};

class LaneDownload {
 public:
  LaneDownload(std::shared_ptr<Client> client, std::string_view key, const store::FileOptions& options,
               const Call& call, ToldTransfer& told)
      : client_(std::move(client)), key_(key), options_(options), call_(call), told_(told) {}

  std::optional<Receipt> run(const std::string& path) {
    look();
    const bool comparable = expected_ || meta_.digests.empty() || !client_->verifies_reads();
    // Without an ETag nothing says that the ranges are of one object.
    if (lanes() < 2 || !comparable || meta_.etag.empty()) return std::nullopt;
    const SteadyTime begun = std::chrono::steady_clock::now();
    const disk::Folder folder = disk::Folder::open(disk::parent_of(path));
    const std::string name{disk::split_path(path).name};
    if (options_.create && folder.find(name)) {  // found out before the download, decided after it
      errno = EEXIST;
      disk::throw_errno("create", path, Side::sink);
    }
    disk::StagedFile file{folder, name};
    if (!fill(file) && !fill(file)) throw mismatch();
    tell(TransferState::publishing, meta_.bytes);
    base::check(call_, "publish a file");
    file.publish(options_.create ? disk::Existing::refuse : disk::Existing::replace);
    return receipt(file.path(), begun);
  }

 private:
  void look() {
    const std::string full = client_->full_key(key_);
    const http::Response found = client_->send(
        client_->head(full, {.if_match = options_.if_match,
                             .version_id = options_.version_id,
                             .sse_customer_key = client_->customer_key(options_.sse_customer_key)}),
        {.call = call_, .key = full, .doing = "HEAD", .side = Side::source});
    meta_ = meta_from(found.headers, key_);
    if (!client_->verifies_reads()) return;
    for (const Algorithm algorithm : kCombining) {
      const auto stored = meta_.digests.find(std::string{to_string(algorithm)});
      if (stored == meta_.digests.end()) continue;
      expected_ = Digest::parse(algorithm, stored->second);
      return;
    }
  }

  int lanes() const {
    const std::uint64_t ranges = (meta_.bytes + kRangeBytes - 1) / kRangeBytes;
    return static_cast<int>(
        std::min<std::uint64_t>(ranges, static_cast<std::uint64_t>(std::min(options_.lanes, kMostLanes))));
  }

  // Whether all bytes came and are those that were stored.
  bool fill(const disk::StagedFile& file) {
    Ranges ranges{meta_.bytes, expected_ ? std::optional{expected_->algorithm()} : std::nullopt};
    std::vector<std::jthread> threads;
    try {
      for (int lane = 0; lane < lanes(); ++lane) {
        threads.emplace_back([&] { run_lane(ranges, file); });
      }
      ranges.wait(lanes(), call_, [&](std::uint64_t done) { tell_now_and_then(done); });
    } catch (...) {
      ranges.request_stop();  // the threads end within 200 ms and are joined
      throw;
    }
    if (!expected_) return true;
    actual_ = ranges.whole();
    return actual_ && actual_->equals(*expected_);
  }

  void run_lane(Ranges& ranges, const disk::StagedFile& file) const {
    try {
      Page page = client_->http().budget()->overdraw_page();
      while (const auto index = ranges.take()) read_range(ranges, *index, file, page);
    } catch (const Error& error) {
      ranges.failed(std::make_exception_ptr(changed(error)));
    } catch (...) {
      ranges.failed(std::current_exception());
    }
    ranges.lane_ended();
  }

  void read_range(Ranges& ranges, std::uint64_t index, const disk::StagedFile& file, Page& page) const {
    const Call call{.stop = ranges.stop(), .deadline = call_.deadline};
    const store::ReadOptions options{.range = ranges.range(index),
                                     .if_match = meta_.etag,
                                     .version_id = options_.version_id,
                                     .sse_customer_key = options_.sse_customer_key};
    const auto object = open_object(client_, key_, options, call);
    // Whatever the server makes of the condition.
    if (object->meta().etag != meta_.etag) throw replaced();
    std::optional<Hasher> hasher;
    if (ranges.algorithm()) hasher.emplace(*ranges.algorithm());
    std::uint64_t at = *options.range->first;
    while (const std::size_t count = object->read(page.bytes())) {
      const Bytes bytes = page.bytes().first(count);
      file.write_at(bytes, at);
      if (hasher) hasher->update(bytes);
      at += count;
      ranges.got(count);
    }
    if (at != *options.range->last + 1) throw short_range();
    ranges.landed(index, hasher ? std::optional{hasher->digest()} : std::nullopt);
  }

  void tell_now_and_then(std::uint64_t done) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now - last_told_ < kBetweenReports) return;
    last_told_ = now;
    tell(TransferState::downloading, done);
  }

  void tell(TransferState state, std::uint64_t done) {
    told_.report({.state = state, .bytes_done = done, .bytes_total = meta_.bytes});
  }

  Error replaced() const {
    const std::string subject = client_->location(client_->full_key(key_));
    return Error{
        Kind::conflict,
        subject + " was replaced while it was read",
        {.side = Side::source, .doing = "get file", .subject = subject, .code = std::string{code::kChanged}}};
  }

  Error short_range() const {
    const std::string subject = client_->location(client_->full_key(key_));
    return Error{Kind::corrupt,
                 subject + ": a range ended before its size",
                 {.side = Side::source, .doing = "get file", .subject = subject}};
  }

  Error mismatch() const {
    const std::string subject = client_->location(client_->full_key(key_));
    return Error{Kind::corrupt,
                 subject + ": the bytes read do not have the " +
                     std::string{to_string(expected_->algorithm())} + " the object was stored with",
                 {.side = Side::source,
                  .doing = "get file",
                  .subject = subject,
                  .expected = expected_->hex(),
                  .actual = actual_ ? actual_->hex() : std::string{}}};
  }

  Receipt receipt(const std::string& path, SteadyTime begun) const {
    Receipt receipt;
    receipt.bytes = meta_.bytes;
    receipt.key = path;
    receipt.location = disk::file_url(path);
    receipt.etag = meta_.etag;
    receipt.version_id = meta_.version_id;
    receipt.content_type = meta_.content_type;
    receipt.digests = meta_.digests;
    receipt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    receipt.mode = "file";
    receipt.mode_reason = std::to_string(lanes()) + " lanes";
    return receipt;
  }

  std::shared_ptr<Client> client_;
  std::string key_;
  store::FileOptions options_;
  Call call_;
  store::ObjectMeta meta_;
  std::optional<Digest> expected_, actual_;
  ToldTransfer& told_;
  SteadyTime last_told_{};
};

}  // namespace

std::optional<Receipt> get_file_in_lanes(const std::shared_ptr<Client>& client, std::string_view key,
                                         const std::string& path, const store::FileOptions& options,
                                         const Call& call, ToldTransfer& told) {
  if (options.lanes < 1) throw Error{Kind::refused, "lanes must be at least 1"};
  if (options.lanes == 1) return std::nullopt;
  return LaneDownload{client, key, options, call, told}.run(path);
}

}  // namespace penstock::s3
