#include "penstock/s3/upload.h"

#include "penstock/s3/abort.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/pending.h"

namespace penstock::s3 {
namespace {

// One part on the I/O thread, from its first try to its acknowledgement.
class PartTransfer : public std::enable_shared_from_this<PartTransfer> {
 public:
  PartTransfer(std::shared_ptr<Client> client, std::shared_ptr<Flight> flight, UploadName upload, int number,
               PayloadPtr body, std::optional<Digest> checksum, bool by_name,
               std::shared_ptr<const PartTrailer> trailer, http::Headers headers, Deadline deadline)
      : client_(std::move(client)),
        flight_(std::move(flight)),
        upload_(std::move(upload)),
        number_(number),
        bytes_(trailer ? trailer->bytes() : body->size()),
        body_(std::move(body)),
        checksum_(std::move(checksum)),
        by_name_(by_name),
        trailer_(std::move(trailer)),
        headers_(std::move(headers)),
        deadline_(deadline) {}

  void send() {
    http::Headers headers = headers_;
    if (trailer_) add_headers(headers, trailer_->headers());
    if (checksum_) {
      headers.add("x-amz-checksum-" + std::string{to_string(checksum_->algorithm())}, checksum_->base64());
    }
    const Sending how{.call = {.stop = flight_->stop(), .deadline = deadline_},
                      .key = upload_.key,
                      .doing = "upload part " + std::to_string(number_),
                      .side = Side::sink,
                      .usual_attempts = kBodyAttempts,
                      .carries_checksum = checksum_ || trailer_};
    client_->submit(
        upload_part(client_->address(), upload_, number_, std::move(headers), body_), how,
        [self = shared_from_this()](http::Outcome outcome) { self->on_answer(std::move(outcome)); });
  }

 private:
  void on_answer(http::Outcome outcome) {
    if (const auto* response = std::get_if<http::Response>(&outcome)) return on_response(*response);
    Error& error = std::get<Error>(outcome);
    if (checksum_ && !by_name_ && refuses_checksums(error)) {
      client_->endpoint().refuse_checksums();
      checksum_.reset();
      return send();
    }
    if (trailer_ && refuses_checksums(error)) client_->endpoint().refuse_trailers();
    if (!is_digest_mismatch(error)) return end(std::move(error));
    again_or(Error{Kind::corrupt, "part " + std::to_string(number_) + " did not arrive as it was sent",
                   error.facts()});
  }

  void on_response(const http::Response& response) {
    const std::string etag{response.headers.get("etag")};
    if (etag.empty()) return end(corrupt("the answer has no ETag"));
    if (auto plain = not_encrypted(headers_, response.headers)) return end(*std::move(plain));
    const std::string ours = checksum_ ? checksum_->base64() : trailer_ ? trailer_->checksum() : "";
    const std::string theirs = ours.empty() ? "" : full_checksum(response.headers, algorithm());
    if (!theirs.empty() && theirs != ours) {
      Error error = corrupt("the server has another checksum of it than we sent");
      error.facts().expected = ours;
      error.facts().actual = theirs;
      return again_or(std::move(error));
    }
    if (ours.empty() && (response.attempts > 1 || sent_again_)) flight_->distrust();
    count(response.attempts - 1);
    body_.reset();
    flight_->landed({number_, bytes_, etag, ours});
  }

  std::string_view algorithm() const {
    return to_string(checksum_ ? checksum_->algorithm() : trailer_->algorithm());
  }

  // Once more, then it is an error.
  void again_or(Error error) {
    if (std::exchange(sent_again_, true)) return end(std::move(error));
    send();
  }

  void end(Error error) {
    count(0);
    body_.reset();
    flight_->failed(std::move(error));
  }

  Error corrupt(const std::string& why) const {
    return Error{Kind::corrupt,
                 "part " + std::to_string(number_) + " of " + client_->location(upload_.key) + ": " + why,
                 {.side = Side::sink,
                  .doing = "upload part " + std::to_string(number_),
                  .subject = client_->location(upload_.key)}};
  }

  void count(int retried) {
    client_->http().count([&](http::Statistics& statistics) {
      --statistics.parts_in_flight;
      statistics.parts_retried += static_cast<std::uint64_t>(retried + (sent_again_ ? 1 : 0));
    });
  }

  std::shared_ptr<Client> client_;
  std::shared_ptr<Flight> flight_;
  UploadName upload_;
  int number_;
  std::uint64_t bytes_;
  PayloadPtr body_;
  std::optional<Digest> checksum_;
  bool by_name_;  // not left out where it is refused
  std::shared_ptr<const PartTrailer> trailer_;
  http::Headers headers_;  // customer's key, Content-MD5
  Deadline deadline_;
  bool sent_again_ = false;
};

// One CreateMultipartUpload. Whoever stops waiting leaves the answer to be taken when it comes, and the
// upload to be aborted then: cut off on its way it could leave one whose id nobody has.
class Creation : public std::enable_shared_from_this<Creation> {
 public:
  Creation(std::shared_ptr<Client> client, std::string key)
      : client_(std::move(client)), key_(std::move(key)) {}

  // The upload's id; `how` has a trace. Waits under `call`; the request goes on without it, as a chore.
  std::string id(http::Request request, Sending how, const Call& call) {
    base::check(call, "create upload");
    how.chore = true;
    client_->submit(std::move(request), how,
                    [self = shared_from_this()](http::Outcome outcome) { self->take(std::move(outcome)); });
    std::unique_lock lock{mutex_};
    try {
      base::wait(changed_, lock, call, "create upload", [this] { return outcome_.has_value(); });
    } catch (...) {
      left_ = true;
      if (outcome_) forget(*outcome_);
      throw;
    }
    if (Error* error = std::get_if<Error>(&*outcome_)) throw std::move(*error);
    try {
      return parse_upload_id(std::get<http::Response>(*outcome_).body);
    } catch (const Error&) {
      ++how.trace->lost;  // it was begun, and nobody can say its id
      throw;
    }
  }

 private:
  void take(http::Outcome outcome) {
    const std::lock_guard lock{mutex_};
    if (left_) return forget(outcome);
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }

  void forget(const http::Outcome& outcome) noexcept {
    const auto* response = std::get_if<http::Response>(&outcome);
    if (!response) return;
    try {
      const UploadName upload{key_, parse_upload_id(response->body)};
      client_->endpoint().opened(upload.upload_id);
      client_->http().count([](http::Statistics& statistics) { ++statistics.uploads_open; });
      abort_in_background(client_, upload);
    } catch (const std::exception&) {
      client_->http().count([](http::Statistics& statistics) { ++statistics.uploads_orphaned; });
    }
  }

  std::shared_ptr<Client> client_;
  std::string key_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool left_ = false;
  std::optional<http::Outcome> outcome_;
};

}  // namespace

int lanes_for(const store::WriteOptions& options, int usual) {
  const int lanes = options.max_parts_in_flight.value_or(usual);
  if (lanes < 1 || lanes > 64) throw Error{Kind::refused, "max_parts_in_flight must be 1 to 64"};
  return lanes;
}

MultipartUpload::MultipartUpload(std::shared_ptr<Client> client, std::shared_ptr<Flight> flight,
                                 Identity identity, UploadOptions options, Call call)
    : client_(std::move(client)),
      flight_(std::move(flight)),
      identity_(std::move(identity)),
      options_(std::move(options)),
      call_(std::move(call)) {
  options_.resumed ? take_up(*options_.resumed) : create();
}

MultipartUpload::~MultipartUpload() {
  abort();
}

void MultipartUpload::create() {
  const auto trace = std::make_shared<Trace>();
  http::Headers headers = options_.attributes;
  checksum_ = options_.checksum;
  if (checksum_) {
    headers.add("x-amz-checksum-algorithm", s3_name(*checksum_));
    headers.add("x-amz-checksum-type", "FULL_OBJECT");
  }
  const Sending how{.key = identity_.key,
                    .doing = "create upload",
                    .side = Side::sink,
                    .carries_checksum = checksum_.has_value(),
                    .trace = trace};
  try {
    const auto creation = std::make_shared<Creation>(client_, identity_.key);
    upload_ = {
        identity_.key,
        creation->id(create_upload(client_->address(), identity_.key, std::move(headers)), how, call_)};
  } catch (const Error& error) {
    if (checksum_ && !identity_.checksum_by_name && refuses_checksums(error)) {
      client_->endpoint().refuse_checksums();
      options_.checksum.reset();
      return create();
    }
    forget_lost_creates(trace->lost);
    throw;
  }
  client_->endpoint().opened(upload_.upload_id);
  client_->http().count([](http::Statistics& statistics) { ++statistics.uploads_open; });
  forget_lost_creates(trace->lost);
}

void MultipartUpload::take_up(const Resumed& resumed) {
  upload_ = resumed.name;
  checksum_ = resumed.checksum;
  client_->endpoint().opened(upload_.upload_id);
  client_->http().count([](http::Statistics& statistics) { ++statistics.uploads_open; });
}

// Whether the next part is there as it would be sent. One whose checksum nobody knows is not.
bool MultipartUpload::keep(std::uint64_t bytes, const std::optional<Digest>& checksum) {
  if (!options_.resumed || !checksum || !checksum_) return false;
  const auto found = options_.resumed->parts.find(next_number_);
  if (found == options_.resumed->parts.end()) return false;
  const ListedPart& there = found->second;
  if (there.bytes != bytes || there.checksums.of(*checksum_) != checksum->base64()) return false;
  flight_->started();
  flight_->landed({next_number_++, bytes, there.etag, checksum->base64()});
  ++kept_;
  return true;
}

// Each lost answer may have left an upload whose id nobody has.
void MultipartUpload::forget_lost_creates(int lost) {
  if (lost == 0) return;
  if (options_.reap) return reap_orphans(client_, identity_.key, identity_.begun, call_);
  client_->http().count([lost](http::Statistics& statistics) {
    statistics.uploads_orphaned += static_cast<std::uint64_t>(lost);
  });
}

int MultipartUpload::begin_part() {
  flight_->wait_for_lane(options_.lanes, call_);
  flight_->throw_fault();
  flight_->started();
  client_->http().count([](http::Statistics& statistics) { ++statistics.parts_in_flight; });
  return next_number_++;
}

void MultipartUpload::send(PayloadPtr part, std::optional<Digest> checksum,
                           std::shared_ptr<const PartTrailer> trailer) {
  if (!checksum_) checksum.reset();
  if (keep(part->size(), checksum)) return;
  const int number = begin_part();
  http::Headers headers = identity_.customer_key;
  const Capabilities* row = client_->endpoint().row();
  if (row && row->content_md5) add_content_md5(headers, *part);
  std::make_shared<PartTransfer>(client_, flight_, upload_, number, std::move(part), std::move(checksum),
                                 identity_.checksum_by_name, std::move(trailer), std::move(headers),
                                 call_.deadline)
      ->send();
  // Who asks for one part at a time wants to hold one: the next is not filled meanwhile.
  if (options_.lanes == 1) flight_->wait_for_lane(1, call_);
}

Published MultipartUpload::publish(std::uint64_t bytes, std::optional<Digest> checksum) {
  flight_->wait_until_landed(call_);
  flight_->throw_fault();
  base::check(call_, "complete upload");
  identity_.bytes = bytes;
  const bool composite = options_.resumed && options_.resumed->composite;
  if (checksum_ && !composite) identity_.checksum = checksum;
  if (!composite) identity_.known = std::move(checksum);
  over_ = true;  // from here the chore decides: it publishes, or aborts
  Pending<PublishOutcome> pending;
  complete_and_settle(client_,
                      {.upload = upload_,
                       .identity = identity_,
                       .mode = options_.mode,
                       .parts = flight_->take_parts(),
                       .part_checksum = checksum_,
                       .keeps_upload = options_.resumed.has_value(),
                       .confirm = flight_->distrusted()},
                      [pending](PublishOutcome outcome) { pending.set(std::move(outcome)); });
  try {
    PublishOutcome outcome = pending.wait(call_, "complete upload");
    if (auto* error = std::get_if<Error>(&outcome)) throw std::move(*error);
    return std::get<Published>(std::move(outcome));
  } catch (const Error& error) {
    const bool left_early = error.kind() == Kind::cancelled || error.facts().code == code::kDeadline;
    if (!left_early) throw;
    Error doubt = in_doubt(*client_, identity_.key, error);
    doubt.facts().upload_id = upload_.upload_id;
    throw doubt;
  }
}

void MultipartUpload::completed() {
  if (!std::exchange(over_, true)) close();
}

void MultipartUpload::close() {
  client_->endpoint().closed(upload_.upload_id);
  client_->http().count([](http::Statistics& statistics) { --statistics.uploads_open; });
}

void MultipartUpload::abort() noexcept {
  if (std::exchange(over_, true)) return;
  flight_->request_stop();
  if (upload_.upload_id.empty()) return;
  if (options_.resumed) return close();  // it was there before us and may be taken up again
  // Pending from here on, so that drain() also waits for the parts that are being stopped.
  flight_->when_idle([client = client_, upload = upload_, chore = client_->http().chore()] {
    abort_in_background(client, upload);
  });
}

}  // namespace penstock::s3
