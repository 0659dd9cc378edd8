#include "penstock/s3/copy.h"

#include <algorithm>
#include <array>

#include "penstock/base/uuid.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/parts.h"
#include "penstock/s3/pending.h"
#include "penstock/s3/upload.h"

namespace penstock::s3 {
namespace {

constexpr std::uint64_t kCopyObjectBytes = 1_GiB;  // its limit is 5 GB, and its answer takes minutes there
constexpr std::uint64_t kCopyPartBytes = 128_MiB;
constexpr int kCopyLanes = 8;
// As with Complete, S3 sends white space while it works.
constexpr std::chrono::seconds kFirstByte{60};
constexpr std::chrono::minutes kTotal{15};

// What CopyObject would carry over by itself and Create would not.
constexpr std::array<const char*, 7> kCarried{"content-type",
                                              "content-encoding",
                                              "content-disposition",
                                              "content-language",
                                              "cache-control",
                                              "expires",
                                              "x-amz-website-redirect-location"};

bool is_metadata(std::string_view name) {
  constexpr std::string_view kPrefix = "x-amz-meta-";
  return name.size() > kPrefix.size() && http::same_name(name.substr(0, kPrefix.size()), kPrefix) &&
         !http::same_name(name.substr(kPrefix.size()), kTokenName);
}

Sending working(const Call& call, const std::string& key, std::string doing) {
  Sending how{.call = call, .key = key, .doing = std::move(doing), .side = Side::sink};
  how.usual_attempts = kBodyAttempts;
  how.error_in_200 = true;
  how.first_byte = kFirstByte;
  how.stall_window = kFirstByte;
  how.stall_bytes_per_second = 0;
  how.total = kTotal;
  return how;
}

// The one condition these requests carry is on the source, and it is the source that they may not find.
Error changed(const Error& error) {
  const bool gone = error.facts().code == "NoSuchKey" || error.facts().code == "NoSuchVersion";
  if (!gone && error.facts().status != 412) return error;
  Facts facts = error.facts();
  facts.side = Side::source;
  facts.code = code::kChanged;
  const char* what =
      gone ? "the source of the copy is gone: " : "the source of the copy is another version by now: ";
  return Error{gone ? Kind::missing : Kind::conflict, what + error.message(), std::move(facts)};
}

// One part copied on the I/O thread.
class PartCopy : public std::enable_shared_from_this<PartCopy> {
 public:
  PartCopy(std::shared_ptr<Client> client, std::shared_ptr<Flight> flight, SentPart part)
      : client_(std::move(client)), flight_(std::move(flight)), part_(std::move(part)) {}

  void send(http::Request request, const Sending& how) {
    client_->submit(std::move(request), how, [self = shared_from_this()](http::Outcome outcome) {
      self->on_answer(std::move(outcome));
    });
  }

 private:
  void on_answer(http::Outcome outcome) {
    client_->http().count([](http::Statistics& statistics) { --statistics.parts_in_flight; });
    if (auto* error = std::get_if<Error>(&outcome)) return flight_->failed(changed(*error));
    try {
      part_.etag = parse_copy(std::get<http::Response>(outcome).body).etag;
    } catch (Error& unreadable) {
      return flight_->failed(std::move(unreadable));
    }
    flight_->landed(std::move(part_));
  }

  std::shared_ptr<Client> client_;
  std::shared_ptr<Flight> flight_;
  SentPart part_;
};

class Copy {
 public:
  Copy(std::shared_ptr<Client> client, CopySource source, const std::string& to,
       const store::WriteOptions& options, const Call& call)
      : client_(std::move(client)),
        source_(std::move(source)),
        options_(options),
        call_(call),
        row_(client_->capabilities(call_)),
        lanes_(lanes_for(options_, kCopyLanes)),
        begun_(client_->http().clock().now()) {
    identity_.key = to;
    identity_.begun = client_->server_now();
    identity_.customer_key = customer_key_headers(client_->customer_key(options_.sse_customer_key));
  }

  std::optional<Receipt> run() {
    look_at_source();
    if (!can_be_done()) return std::nullopt;
    make_headers();
    const Published copied = in_parts() ? copy_parts() : copy_whole();
    check_encrypted(copied);
    return receipt(copied);
  }

 private:
  bool conditional() const { return options_.mode.kind != store::Mode::Kind::overwrite; }

  bool in_parts() const {
    return conditional() ||
           (row_.multipart_copy && identity_.bytes > options_.part_bytes.value_or(kCopyObjectBytes));
  }

  // In the other cases a put says what is wrong, or does it: only bytes that stream can be compared.
  bool can_be_done() const {
    if (!options_.expected.empty()) return false;
    if (!conditional()) return true;
    const bool trusted =
        row_.conditional_complete == Support::unknown && client_->config().conditional == Conditional::trust;
    return row_.multipart_copy && identity_.bytes > 0 &&
           (row_.conditional_complete == Support::yes || trusted);
  }

  void look_at_source() {
    const auto theirs =
        client_->config().bucket == source_.bucket ? client_ : client_->with_bucket(source_.bucket);
    const http::Response found =
        theirs->send(theirs->head(source_.key, {.if_match = source_.etag,
                                                .version_id = source_.version_id,
                                                .sse_customer_key = source_.sse_customer_key}),
                     {.call = call_, .key = source_.key, .doing = "HEAD", .side = Side::source});
    found_ = found.headers;
    identity_.bytes = meta_from(found_, source_.key).bytes;
    source_.etag = found_.get("etag");
    if (options_.length && *options_.length != identity_.bytes) throw other_length();
    // CopyObject takes the tags along.
    if (can_be_done() && in_parts() && options_.tags.empty()) {
      options_.tags = tags_of(*theirs, source_.key, source_.version_id, call_);
    }
  }

  Error other_length() const {
    const std::string expected = std::to_string(*options_.length), actual = std::to_string(identity_.bytes);
    return Error{Kind::corrupt,
                 "the source of the copy has " + actual + " bytes, not " + expected + "; nothing was copied",
                 {.side = Side::source,
                  .doing = "copy",
                  .subject = "s3://" + source_.bucket + "/" + source_.key,
                  .expected = expected,
                  .actual = actual}};
  }

  void make_headers() {
    if (options_.token.value_or(client_->config().token)) identity_.token = random_uuid();
    headers_ = attribute_headers(options_, row_, {});
    add_headers(headers_, identity_.customer_key);
    for (const char* name : kCarried) {
      if (found_.has(name) && !headers_.has(name)) headers_.add(name, std::string{found_.get(name)});
    }
    if (options_.metadata.empty()) {
      for (const auto& [name, value] : found_) {
        if (is_metadata(name)) headers_.add(name, value);
      }
    }
    add_token();
  }

  // Only where there is room: an object may come with all the metadata there may be.
  void add_token() {
    if (identity_.token.empty()) return;
    try {
      add_token_header(headers_, identity_.token, row_);
    } catch (const Error&) {
      identity_.token.clear();
    }
  }

  Published copy_whole() {
    headers_.add("x-amz-metadata-directive", "REPLACE");
    if (!options_.tags.empty()) headers_.add("x-amz-tagging-directive", "REPLACE");
    const auto trace = std::make_shared<Trace>();
    Sending how = working(call_, identity_.key, "copy");
    how.trace = trace;
    try {
      const http::Response response =
          client_->send(copy_object(client_->address(), identity_.key, source_, headers_), how);
      return {parse_copy(response.body).etag, std::string{response.headers.get("x-amz-version-id")},
              response.attempts};
    } catch (const Error& error) {
      return settle(error, *trace);
    }
  }

  // Not every server says so in its answer to a copy: the object is asked.
  void check_encrypted(const Published& copied) const {
    if (identity_.customer_key.empty()) return;
    http::Request request = head_object(client_->address(), identity_.key, {.if_match = copied.etag});
    add_headers(request.headers, identity_.customer_key);
    const http::Response there = client_->send(
        std::move(request), {.call = call_, .key = identity_.key, .doing = "HEAD", .side = Side::sink});
    const auto plain = not_encrypted(identity_.customer_key, there.headers);
    if (!plain) return;
    http::Outcome removed = http::Response{};
    try {
      client_->send(delete_object(client_->address(), identity_.key, copied.etag),
                    taking_back(identity_.key));
    } catch (const Error& stays) {
      removed = stays;
    }
    throw taken_back(*plain, removed);
  }

  Published settle(const Error& error, const Trace& trace) {
    const bool cut_short = error.kind() == Kind::cancelled || error.facts().code == code::kDeadline;
    if (cut_short && trace.sent) throw in_doubt(*client_, identity_.key, error);
    // The condition on the source may fail because a lost try of ours has replaced it by itself; libcurl
    // repeats unseen what a dead pooled connection swallowed.
    const bool by_token = !identity_.token.empty();
    const bool condition_failed = error.facts().status == 412 && (trace.lost > 0 || by_token);
    const bool answer_lost = is_lost_answer(error) && trace.lost > 0;
    if (cut_short || !(condition_failed || answer_lost)) throw changed(error);
    const Pending<Found> pending;
    look(client_, identity_,
         {.call = call_, .key = identity_.key, .doing = "settle copy", .side = Side::sink},
         [pending](Found found) { pending.set(std::move(found)); });
    Found found = pending.wait_out();
    if (found.what == Found::What::ours) return std::move(found.object);
    if (found.what == Found::What::absent || found.what == Found::What::older || error.facts().status == 412)
      throw changed(error);
    throw in_doubt(*client_, identity_.key, error);
  }

  Published copy_parts_of(MultipartUpload& upload, const std::shared_ptr<Flight>& flight) {
    const PartPlan plan{row_, options_.part_bytes.value_or(kCopyPartBytes), identity_.bytes, std::nullopt};
    for (std::uint64_t done = 0; done < identity_.bytes;) {
      const std::uint64_t bytes = std::min(plan.size_of(1), identity_.bytes - done);
      const int number = upload.begin_part();
      // A range of a source under 5 MiB is refused.
      std::optional<store::Range> range;
      if (bytes < identity_.bytes) range = store::Range{.first = done, .last = done + bytes - 1};
      const Call part_call{.stop = flight->stop(), .deadline = call_.deadline};
      std::make_shared<PartCopy>(client_, flight, SentPart{number, bytes, {}, {}})
          ->send(copy_part(client_->address(), upload.name(), number, source_, range, identity_.customer_key),
                 working(part_call, identity_.key, "copy part " + std::to_string(number)));
      done += bytes;
    }
    parts_ = upload.parts();
    return upload.publish(identity_.bytes, std::nullopt);
  }

  Published copy_parts() {
    if (options_.before_upload) options_.before_upload();
    const auto flight = std::make_shared<Flight>();
    MultipartUpload upload{client_, flight, identity_, upload_options(), call_};
    try {
      return copy_parts_of(upload, flight);
    } catch (Error& error) {
      if (error.facts().upload_id.empty()) error.facts().upload_id = upload.id();
      throw;
    }
  }

  UploadOptions upload_options() const {
    return {.mode = options_.mode,
            .attributes = headers_,
            .lanes = lanes_,
            .reap = options_.reap.value_or(client_->config().reap)};
  }

  Receipt receipt(const Published& published) const {
    Receipt receipt;
    receipt.bytes = identity_.bytes;
    receipt.key = identity_.key;
    receipt.bucket = client_->config().bucket;
    receipt.location = client_->location(identity_.key);
    receipt.etag = published.etag;
    receipt.version_id = published.version_id;
    receipt.content_type = headers_.get("content-type");
    receipt.seconds = std::chrono::duration<double>(client_->http().clock().now() - begun_).count();
    receipt.attempts = published.attempts;
    receipt.mode = "copy";
    receipt.mode_reason = parts_ ? "by the server, in " + std::to_string(parts_) + " parts" : "by the server";
    return receipt;
  }

  std::shared_ptr<Client> client_;
  CopySource source_;
  store::WriteOptions options_;
  Call call_;
  Capabilities row_;
  int lanes_;
  Identity identity_;
  http::Headers found_;    // of the source's HEAD
  http::Headers headers_;  // of the copy
  int parts_ = 0;
  SteadyTime begun_;
};

}  // namespace

std::optional<Receipt> copy_on_server(const std::shared_ptr<Client>& client, const CopySource& source,
                                      const std::string& to, const store::WriteOptions& options,
                                      const Call& call) {
  return Copy{client, source, to, options, call}.run();
}

std::map<std::string, std::string> tags_of(Client& client, const std::string& key,
                                           std::string_view version_id, const Call& call) {
  try {
    const http::Response response =
        client.send(get_tagging(client.address(), key, version_id),
                    {.call = call, .key = key, .doing = "read tags", .side = Side::source});
    return parse_tags(response.body);
  } catch (const Error& error) {
    const std::string& code = error.facts().code;
    if (code == "NoSuchTagSet" || code == "NotImplemented" || error.facts().status == 501) return {};
    throw;
  }
}

}  // namespace penstock::s3
