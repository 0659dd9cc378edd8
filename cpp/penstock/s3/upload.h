// A multipart upload under way: parts go out on the I/O thread, their outcomes come back here.
//
// Life:     created lazily by the first send(); ends by publish() or abort(); dying aborts.
// Threads:  one owner. What the I/O thread shares with it is in Flight.
// Memory:   the payloads of the parts in flight; they die when acknowledged.
// Failure:  the first fatal part stops its siblings, and send() or publish() throws its error.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "penstock/s3/complete.h"
#include "penstock/s3/trailer.h"

namespace penstock::s3 {

// What the owner and the I/O thread share.
class Flight {
 public:
  // Memory of parts, counted by who makes and who drops a payload.
  void hold(std::uint64_t bytes);
  void release(std::uint64_t bytes);
  std::uint64_t held() const;

  void started();
  void landed(SentPart part);
  void failed(Error error);  // the first stops the siblings
  // A part of which the server knows no checksum was sent more than once: versitygw 1.8 takes one that was
  // cut off for whole, and may put it in the place of its repeat.
  void distrust();
  bool distrusted() const;

  int in_flight() const;
  std::stop_token stop() const { return stop_.get_token(); }
  void request_stop() { stop_.request_stop(); }

  void throw_fault() const;
  void wait_for_lane(int lanes, const Call& call);
  // Until fewer than `bytes` are held.
  void wait_for_release(std::uint64_t bytes, const Call& call);
  void wait_until_landed(const Call& call);
  void wait_until_unheld() noexcept;
  // Runs `job` as soon as no part is under way: at once if none is.
  void when_idle(std::function<void()> job);
  std::vector<SentPart> take_parts();  // in order

 private:
  void over(std::unique_lock<std::mutex> lock);
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::stop_source stop_;
  std::uint64_t held_ = 0;
  int in_flight_ = 0;
  bool distrusted_ = false;
  std::vector<SentPart> parts_;
  std::optional<Error> fault_;
  std::function<void()> when_idle_;
};

// An upload that another process began, as ListParts has it.
struct Resumed {
  UploadName name;
  std::map<int, ListedPart> parts;
  std::optional<Algorithm> checksum;  // as declared at Create
  bool composite = false;             // its checksum of the whole is one of the parts' checksums
};

struct UploadOptions {
  store::Mode mode;
  http::Headers attributes;  // of CreateMultipartUpload, without checksum
  int lanes = 4;
  bool reap = false;
  std::optional<Algorithm> checksum =
      {};  // declared at Create; unset: what is sent before its checksum is known
  // Taken up instead of creating one: parts that are there are not sent, and abort() leaves it open.
  std::optional<Resumed> resumed = {};
};

// How many parts are under way at once: 1 to 64, else Error(refused).
int lanes_for(const store::WriteOptions& options, int usual);

class MultipartUpload {
 public:
  MultipartUpload(std::shared_ptr<Client> client, std::shared_ptr<Flight> flight, Identity identity,
                  UploadOptions options, Call call);
  ~MultipartUpload();
  MultipartUpload(const MultipartUpload&) = delete;
  MultipartUpload& operator=(const MultipartUpload&) = delete;

  // Waits for a lane, then hands the next part to the I/O thread. `checksum` unset sends it plain, unless the
  // body carries it itself, in a trailer.
  void send(PayloadPtr part, std::optional<Digest> checksum, std::shared_ptr<const PartTrailer> trailer = {});

  // Waits for a lane and counts a part as under way; its number. Whoever sends it tells the Flight its end.
  int begin_part();

  // Waits for the parts, then publishes and settles. After a stop or deadline past that point: in_doubt,
  // while settling goes on as a chore.
  Published publish(std::uint64_t bytes, std::optional<Digest> checksum);

  // For who has published it himself.
  void completed();

  // Stops the parts and forgets the upload in the background.
  void abort() noexcept;

  const UploadName& name() const { return upload_; }
  const std::string& id() const { return upload_.upload_id; }             // "": nothing created yet
  const std::optional<Algorithm>& checksum() const { return checksum_; }  // of each part, as declared
  int parts() const { return next_number_ - 1; }
  int kept() const { return kept_; }  // parts that were there already

 private:
  void create();
  void take_up(const Resumed& resumed);
  void close();
  bool keep(std::uint64_t bytes, const std::optional<Digest>& checksum);
  void forget_lost_creates(int lost);

  std::shared_ptr<Client> client_;
  std::shared_ptr<Flight> flight_;
  Identity identity_;
  UploadOptions options_;
  Call call_;
  UploadName upload_;
  std::optional<Algorithm> checksum_;  // as declared at Create
  int next_number_ = 1, kept_ = 0;
  bool over_ = false;
};

}  // namespace penstock::s3
