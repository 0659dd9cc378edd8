#include "penstock/s3/complete.h"

#include <algorithm>

#include "penstock/base/backoff.h"
#include "penstock/s3/abort.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"

namespace penstock::s3 {
namespace {

// S3 sends white space while it assembles, for minutes if need be.
constexpr std::chrono::seconds kFirstByte{60};
constexpr std::chrono::minutes kTotal{15};
constexpr std::chrono::milliseconds kTransientBase{50}, kThrottleBase{1000};
// Between looks for an object that is said to be there: 4 s at most, while a server still assembles it.
constexpr std::chrono::milliseconds kSeenBase{250};
constexpr int kLooks = 5;

class Completion : public std::enable_shared_from_this<Completion> {
 public:
  Completion(std::shared_ptr<Client> client, Publication publication,
             std::function<void(PublishOutcome)> done)
      : client_(std::move(client)),
        chore_(client_->http().chore()),
        publication_(std::move(publication)),
        done_(std::move(done)) {}

  // A client that closes drops what is waiting to be sent again.
  ~Completion() {
    if (!done_) return;
    closed();
    done_(
        in_doubt(*client_, publication_.identity.key,
                 with_upload(Error{Kind::cancelled, "the client was closed while the upload was settled"})));
  }

  void send() {
    ++attempts_;
    Sending how = sending("complete upload");
    how.once = true;
    how.error_in_200 = true;
    how.first_byte = kFirstByte;
    how.stall_window = kFirstByte;
    how.stall_bytes_per_second = 0;  // any byte is progress
    how.total = kTotal;
    how.trace = trace_;
    client_->submit(
        complete_upload(client_->address(), publication_.upload, body_parts(), checksum_element(), headers()),
        how, [self = shared_from_this()](http::Outcome outcome) { self->on_answer(std::move(outcome)); });
  }

 private:
  Sending sending(const char* doing) const {
    return {.key = publication_.identity.key, .doing = doing, .side = Side::sink, .chore = true};
  }

  std::vector<CompletedPart> body_parts() const {
    std::vector<CompletedPart> parts;
    parts.reserve(publication_.parts.size());
    for (const SentPart& part : publication_.parts) parts.push_back({part.number, part.etag, part.checksum});
    return parts;
  }

  std::optional<Algorithm> part_algorithm() const {
    if (publication_.part_checksum) return publication_.part_checksum;
    const auto& whole = publication_.identity.checksum;
    return whole ? std::optional{whole->algorithm()} : std::nullopt;
  }

  std::string checksum_element() const {
    const auto algorithm = part_algorithm();
    return algorithm ? "Checksum" + s3_name(*algorithm) : std::string{};
  }

  http::Headers headers() const {
    http::Headers headers = publication_.identity.customer_key;
    add_condition(headers, publication_.mode);
    const Capabilities* row = client_->endpoint().row();
    if (!row || !row->declares_size) return headers;
    headers.add("x-amz-mp-object-size", std::to_string(publication_.identity.bytes));
    if (const auto& checksum = publication_.identity.checksum) {
      headers.add("x-amz-checksum-" + std::string{to_string(checksum->algorithm())}, checksum->base64());
      headers.add("x-amz-checksum-type", "FULL_OBJECT");
    }
    return headers;
  }

  void on_answer(http::Outcome outcome) {
    if (const auto* response = std::get_if<http::Response>(&outcome)) return on_response(*response);
    Error& error = std::get<Error>(outcome);
    const Facts& facts = error.facts();
    if (is_lost_answer(error) || facts.code == "NoSuchUpload") return settle(std::move(error));
    if (facts.status == 412 && may_be_our_own()) return settle(std::move(error));
    if (facts.code == "InvalidPart" && !relisted_) return relist(0);
    if (is_gone_under(publication_.mode, error)) return give_up(gone(error));
    give_up(about_the_bytes(error) ? corrupt(error) : std::move(error));
  }

  // A condition may also fail against the object that an unnoticed try of ours made: libcurl repeats what a
  // dead pooled connection swallowed. The token tells; without one a foreign twin must not be adopted.
  bool may_be_our_own() const { return trace_->lost > 0 || !publication_.identity.token.empty(); }

  // A refusal of what we sent, as the far end has it: parts, size or checksum are not ours.
  static bool about_the_bytes(const Error& error) {
    const std::string& code = error.facts().code;
    return is_digest_mismatch(error) || code == "InvalidPart" ||
           (code == "InvalidRequest" && error.facts().status == 400);
  }

  void on_response(const http::Response& response) {
    CompleteResult result;
    try {
      result = parse_complete(response.body);
    } catch (const Error& cut_off) {
      ++trace_->lost;
      return settle(cut_off);
    }
    const std::string said = whole_checksum(result);
    if (!said.empty() && said != publication_.identity.known->base64())
      return take_back(result.etag, "checksum", publication_.identity.known->base64(), said);
    Published published{result.etag, std::string{response.headers.get("x-amz-version-id")}, attempts_};
    sent_again_ || publication_.confirm ? confirm(published) : succeed(std::move(published));
  }

  // What the server has of the whole object, if it can be compared with ours. Only CRC64NVME is always of the
  // whole.
  std::string whole_checksum(const CompleteResult& result) const {
    const auto& ours = publication_.identity.known;
    if (!ours || result.checksum_type == "COMPOSITE") return {};
    if (ours->algorithm() != Algorithm::crc64nvme && result.checksum_type != "FULL_OBJECT") return {};
    const std::string& said = result.checksums.of(ours->algorithm());
    return said.find('-') == std::string::npos ? said : std::string{};
  }

  // A server may answer what is sent again with success because it began the first: versitygw 1.8 does, also
  // if it was killed in between, and then nothing ever comes of it. The first Complete's success is believed,
  // unless what is there shows by its size that a part was replaced.
  void confirm(const Published& published) {
    look(
        client_, publication_.identity, sending("confirm upload"),
        [self = shared_from_this(), published](const Found& found) { self->on_confirmed(found, published); });
  }

  void on_confirmed(const Found& found, const Published& published) {
    if (found.what == Found::What::damaged) return take_back(found);
    if (found.what == Found::What::ours || !sent_again_ || may_not_be_seen(found)) return succeed(published);
    if (++looks_ < kLooks) {
      client_->http().post_after(backoff_.before_retry(looks_, kSeenBase),
                                 [self = shared_from_this(), published] { self->confirm(published); });
      return;
    }
    closed();
    end(in_doubt(*client_, publication_.identity.key, with_upload(unseen(found))));
  }

  // Nobody can tell, and no later look would.
  static bool may_not_be_seen(const Found& found) {
    if (found.what != Found::What::unknown) return false;
    return !found.failure || found.failure->kind() == Kind::denied || found.failure->kind() == Kind::refused;
  }

  static Error unseen(const Found& found) {
    Facts facts{.side = Side::sink, .doing = "confirm upload"};
    if (found.failure) facts.cause = std::make_shared<const Error>(*found.failure);
    const std::string why = found.what == Found::What::unknown
                                ? "it could not be looked at (" + found.failure->message() + ")"
                                : "another object is there, or none";
    return Error{Kind::lost, "the server said that the upload is complete, and " + why, std::move(facts)};
  }

  void take_back(const Found& damaged) {
    take_back(damaged.object.etag, "size", std::to_string(publication_.identity.bytes),
              std::to_string(damaged.bytes));
  }

  // Published, but not our bytes: it must not stay visible.
  void take_back(const std::string& etag, const std::string& what, std::string expected, std::string actual) {
    Error error{Kind::corrupt,
                "the server assembled other bytes of " + client_->location(publication_.identity.key) +
                    " than were sent: its " + what + " differs",
                {.side = Side::sink,
                 .doing = "complete upload",
                 .subject = client_->location(publication_.identity.key),
                 .expected = std::move(expected),
                 .actual = std::move(actual)}};
    client_->submit(delete_object(client_->address(), publication_.identity.key, etag),
                    taking_back(publication_.identity.key),
                    [self = shared_from_this(), error = std::move(error)](const http::Outcome& outcome) {
                      self->closed();
                      self->end(taken_back(error, outcome));
                    });
  }

  // --- the answer is lost or ambiguous: look, and send again if it did not happen -------------------------

  void settle(Error why) {
    look(client_, publication_.identity, sending("settle upload"),
         [self = shared_from_this(), why = std::move(why)](Found found) {
           self->on_found(std::move(found), why);
         });
  }

  void on_found(Found found, const Error& why) {
    if (found.what == Found::What::ours) {
      found.object.attempts = attempts_;
      return succeed(std::move(found.object));
    }
    if (found.what == Found::What::damaged) return take_back(found);
    if (why.facts().status == 412) return on_condition_failed(found, why);
    const bool gone = why.facts().code == "NoSuchUpload";
    if (gone && upload_was_gone_) return on_gone(found, why);
    upload_was_gone_ = gone;
    if (attempts_ < client_->body_attempts()) return send_later(why);
    revoke(why);
  }

  // Somebody else's object is the reason, unless a lost try of ours may be and nobody can tell. Either way
  // the upload is over: completed by that try, or refused.
  void on_condition_failed(const Found& found, const Error& why) {
    if (found.what != Found::What::unknown || trace_->lost == 0) return give_up(why);
    give_up(in_doubt(*client_, publication_.identity.key, why));
  }

  // The upload is no more and the object is not ours.
  void on_gone(const Found& found, const Error& why) {
    closed();
    if (found.what == Found::What::absent) return end(lost(why));
    end(in_doubt(*client_, publication_.identity.key, why));
  }

  void send_later(const Error& why) {
    sent_again_ = true;
    const auto base = why.kind() == Kind::busy ? kThrottleBase : kTransientBase;
    client_->http().post_after(backoff_.before_retry(attempts_, base),
                               [self = shared_from_this()] { self->send(); });
  }

  // All tries are spent. Once the upload is aborted no late Complete can publish it, so that a HEAD
  // afterwards is the truth.
  void revoke(const Error& why) {
    client_->submit(abort_upload(client_->address(), publication_.upload), sending("abort upload"),
                    [self = shared_from_this(), why](http::Outcome outcome) {
                      const auto* error = std::get_if<Error>(&outcome);
                      const bool revoked = !error || error->kind() == Kind::missing;
                      self->look_last(why, revoked);
                    });
  }

  void look_last(const Error& why, bool revoked) {
    look(client_, publication_.identity, sending("settle upload"),
         [self = shared_from_this(), why, revoked](Found found) {
           if (found.what == Found::What::ours) return self->succeed(std::move(found.object));
           if (found.what == Found::What::damaged) return self->take_back(found);
           const bool never_arrived = self->trace_->lost == 0 && !revoked;
           const bool not_there = found.what == Found::What::absent || found.what == Found::What::older;
           if (never_arrived || (revoked && not_there)) return self->give_up(self->lost(why));
           self->closed();
           self->end(in_doubt(*self->client_, self->publication_.identity.key, self->with_upload(why)));
         });
  }

  // --- InvalidPart: are the parts there ours after all? ---------------------------------------------------

  void relist(int after) {
    relisted_ = true;
    http::Request request = list_parts(client_->address(), publication_.upload, after);
    add_headers(request.headers, publication_.identity.customer_key);
    client_->submit(
        std::move(request), sending("list parts"),
        [self = shared_from_this()](http::Outcome outcome) { self->on_listed(std::move(outcome)); });
  }

  void on_listed(http::Outcome outcome) {
    if (auto* error = std::get_if<Error>(&outcome)) return give_up(corrupt(*error));
    PartPage page;
    try {
      page = parse_parts(std::get<http::Response>(outcome).body);
    } catch (const Error& unreadable) {
      return give_up(corrupt(unreadable));
    }
    listed_.insert(listed_.end(), page.parts.begin(), page.parts.end());
    const bool more = page.truncated && listed_.size() < publication_.parts.size();
    if (more && !page.parts.empty()) return relist(page.next_marker);
    adopt_listed();
  }

  // A timed-out try that landed late changes a part's ETag (KMS) and not its bytes.
  void adopt_listed() {
    const auto algorithm = part_algorithm();
    for (SentPart& part : publication_.parts) {
      const auto same = [&](const ListedPart& listed) {
        const std::string there = algorithm ? listed.checksums.of(*algorithm) : std::string{};
        return listed.number == part.number && listed.bytes == part.bytes &&
               (part.checksum.empty() || there.empty() || there == part.checksum);
      };
      const auto found = std::find_if(listed_.begin(), listed_.end(), same);
      if (found == listed_.end()) {
        return give_up(Error{Kind::corrupt,
                             "part " + std::to_string(part.number) + " of " +
                                 client_->location(publication_.identity.key) +
                                 " is not there as it was sent",
                             {.side = Side::sink, .doing = "complete upload", .code = "InvalidPart"}});
      }
      part.etag = found->etag;
    }
    send();
  }

  // --- ends -----------------------------------------------------------------------------------------------

  Error with_upload(Error error) const {
    error.facts().upload_id = publication_.upload.upload_id;
    error.facts().attempts = attempts_;
    return error;
  }

  static Error corrupt(const Error& said) {
    Facts facts = said.facts();
    facts.cause = std::make_shared<const Error>(said);
    return Error{Kind::corrupt, "the far end has other bytes than were sent: " + said.message(),
                 std::move(facts)};
  }

  Error lost(const Error& why) const {
    Facts facts = why.facts();
    facts.cause = std::make_shared<const Error>(why);
    facts.subject = client_->location(publication_.identity.key);
    return Error{Kind::lost,
                 "the upload of " + facts.subject + " was lost and nothing is visible; send it again (" +
                     why.message() + ")",
                 std::move(facts)};
  }

  void closed() {
    client_->endpoint().closed(publication_.upload.upload_id);
    client_->http().count([](http::Statistics& statistics) { --statistics.uploads_open; });
  }

  void succeed(Published published) {
    published.attempts = attempts_;
    closed();
    end(std::move(published));
  }

  // Nothing became visible, and nothing of the upload stays, unless it was there before us.
  void give_up(Error error) {
    publication_.keeps_upload ? closed() : abort_in_background(client_, publication_.upload);
    end(with_upload(std::move(error)));
  }

  void end(PublishOutcome outcome) { std::exchange(done_, nullptr)(std::move(outcome)); }

  std::shared_ptr<Client> client_;
  std::shared_ptr<void> chore_;
  Publication publication_;
  std::function<void(PublishOutcome)> done_;
  std::shared_ptr<Trace> trace_ = std::make_shared<Trace>();
  std::vector<ListedPart> listed_;
  Backoff backoff_;
  int attempts_ = 0, looks_ = 0;
  bool sent_again_ = false, relisted_ = false, upload_was_gone_ = false;
};

}  // namespace

void complete_and_settle(const std::shared_ptr<Client>& client, Publication publication,
                         std::function<void(PublishOutcome)> done) {
  std::make_shared<Completion>(client, std::move(publication), std::move(done))->send();
}

}  // namespace penstock::s3
