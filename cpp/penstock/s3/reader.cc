#include "penstock/s3/reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "penstock/http/content_range.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

Error corrupt(const std::string& subject, const std::string& why) {
  return Error{
      Kind::corrupt, subject + ": " + why, {.side = Side::source, .doing = "GET", .subject = subject}};
}

// Where the answer begins and ends, against what was asked: nothing of a lying answer is used.
void check_range(const http::Body& body, const store::Range& asked, const std::string& subject) {
  if (body.status() != 206) throw corrupt(subject, "a range was asked for and the whole came");
  const http::ContentRange got = http::content_range(body.headers());
  if (body.headers().get("etag").empty()) throw corrupt(subject, "the answer to a range has no ETag");
  const std::uint64_t first = asked.suffix ? got.total - std::min(*asked.suffix, got.total) : *asked.first;
  const std::uint64_t last = asked.last ? std::min(*asked.last, got.total - 1) : got.total - 1;
  if (got.first == first && got.last == last) return;
  throw corrupt(subject, "another range came than was asked for: " + got.text());
}

bool is_whole(const http::Body& body) {
  if (body.status() != 206) return true;
  return http::content_range(body.headers()).size() == http::content_range(body.headers()).total;
}

// The stored checksum to compare with, the cheapest first.
std::optional<Digest> stored_checksum(const http::Headers& headers) {
  constexpr std::array kOrder{Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32, Algorithm::sha1,
                              Algorithm::sha256};
  for (const Algorithm algorithm : kOrder) {
    const std::string value = full_checksum(headers, to_string(algorithm));
    if (!value.empty()) return Digest::parse(algorithm, value);
  }
  return std::nullopt;
}

// One answered GET.
struct Opened {
  std::unique_ptr<http::Body> body;
  store::ObjectMeta meta;
  std::optional<Digest> checksum;  // of all that will be read
};

Opened ask(Client& client, std::string_view key, const store::ReadOptions& options, const Call& call) {
  const std::string full = client.full_key(key);
  store::ReadOptions asked = options;
  asked.sse_customer_key = client.customer_key(options.sse_customer_key);
  http::Request request = get_object(client.address(), full, asked);
  if (!client.verifies_reads()) request.headers.remove("x-amz-checksum-mode");
  Opened opened;
  opened.body =
      client.open(std::move(request), {.call = call, .key = full, .doing = "GET", .side = Side::source});
  if (options.range) check_range(*opened.body, *options.range, client.location(full));
  opened.meta = meta_from(opened.body->headers(), key);
  if (client.verifies_reads() && is_whole(*opened.body))
    opened.checksum = stored_checksum(opened.body->headers());
  return opened;
}

Error mismatch(const std::string& subject, const Digest& expected, const Digest& actual) {
  Error error =
      corrupt(subject, "the bytes read do not have the " + std::string{to_string(expected.algorithm())} +
                           " the object was stored with");
  error.facts().expected = expected.hex();
  error.facts().actual = actual.hex();
  return error;
}

// Streams, and compares at the end.
class StreamedObject final : public store::ObjectSource {
 public:
  StreamedObject(Opened opened, std::string subject)
      : body_(std::move(opened.body)),
        meta_(std::move(opened.meta)),
        expected_(std::move(opened.checksum)),
        subject_(std::move(subject)) {
    if (expected_) running_.emplace(expected_->algorithm());
  }

  std::size_t read(MutableBytes buffer) override {
    const std::size_t count = read_body(buffer);
    if (!running_) return count;
    running_->update(buffer.first(count));
    if (count == 0 && !running_->digest().equals(*expected_)) {
      throw mismatch(subject_, *expected_, running_->digest());
    }
    return count;
  }
  std::optional<std::uint64_t> remaining() const override { return body_->remaining(); }
  bool rewindable() const override { return body_->rewindable(); }
  std::string_view repeat_obstacle() const override { return body_->repeat_obstacle(); }
  void mark() override {
    body_->mark();
    marked_ = running_;
  }
  void rewind() override {
    body_->rewind();
    running_ = marked_;
  }
  const store::ObjectMeta& meta() const override { return meta_; }

 private:
  std::size_t read_body(MutableBytes buffer) try { return body_->read(buffer); } catch (Error& error) {
    error.facts().subject = subject_;
    throw;
  }

  std::unique_ptr<http::Body> body_;
  store::ObjectMeta meta_;
  std::optional<Digest> expected_;
  std::string subject_;
  std::optional<Hasher> running_, marked_;
};

// A small object, whole and checked, in one page of the Budget.
class HeldObject final : public store::ObjectSource {
 public:
  HeldObject(Page page, std::size_t size, store::ObjectMeta meta)
      : page_(std::move(page)), size_(size), meta_(std::move(meta)) {}

  std::size_t read(MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), size_ - at_);
    std::memcpy(buffer.data(), page_.bytes().data() + at_, count);
    at_ += count;
    return count;
  }
  std::optional<std::uint64_t> remaining() const override { return size_ - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override { at_ = mark_; }
  const store::ObjectMeta& meta() const override { return meta_; }

 private:
  Page page_;
  std::size_t size_, at_ = 0, mark_ = 0;
  store::ObjectMeta meta_;
};

bool is_small(const Opened& opened) {
  return opened.checksum && opened.body->remaining().value_or(kPageBytes + 1) <= kPageBytes;
}

std::unique_ptr<store::ObjectSource> hold(Client& client, Opened opened, const std::string& subject,
                                          const std::function<Opened()>& again) {
  Page page = client.http().budget()->overdraw_page();
  bool asked_again = false;
  for (;;) {
    const std::size_t size = read_full(*opened.body, page.bytes());
    Hasher hasher{opened.checksum->algorithm()};
    hasher.update(page.bytes().first(size));
    const Digest actual = hasher.digest();
    if (actual.equals(*opened.checksum)) {
      return std::make_unique<HeldObject>(std::move(page), size, std::move(opened.meta));
    }
    if (std::exchange(asked_again, true)) throw mismatch(subject, *opened.checksum, actual);
    opened = again();
    if (!is_small(opened)) return std::make_unique<StreamedObject>(std::move(opened), subject);
  }
}

}  // namespace

std::unique_ptr<store::ObjectSource> open_object(const std::shared_ptr<Client>& client, std::string_view key,
                                                 const store::ReadOptions& options, const Call& call) {
  const auto open = [&] { return ask(*client, key, options, call); };
  Opened opened = open();
  const std::string subject = client->location(client->full_key(key));
  if (is_small(opened)) return hold(*client, std::move(opened), subject, open);
  return std::make_unique<StreamedObject>(std::move(opened), subject);
}

}  // namespace penstock::s3
