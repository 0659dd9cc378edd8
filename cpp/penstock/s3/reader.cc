#include "penstock/s3/reader.h"

#include <functional>
#include <optional>
#include <utility>

#include "penstock/s3/attributes.h"
#include "penstock/s3/get_answer.h"
#include "penstock/s3/held_object.h"
#include "penstock/s3/piece.h"

namespace penstock::s3 {
namespace {

// One answered GET.
struct Opened {
  std::unique_ptr<http::Body> body;
  store::ObjectMeta meta;
  std::optional<Digest> checksum;  // of all that will be read
};

Opened ask(Client& client, std::string_view key, const store::ReadOptions& options, const Call& call) {
  const std::string full = client.full_key(key);
  Opened opened;
  opened.body = client.open(get_request(client, full, options),
                            {.call = call, .key = full, .doing = "GET", .side = Side::source});
  const http::Headers& headers = opened.body->headers();
  if (options.range) check_range(opened.body->status(), headers, *options.range, client.location(full));
  opened.meta = meta_from(headers, key);
  opened.checksum = stored_checksum(client, opened.body->status(), headers);
  return opened;
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
  std::size_t ready() const override { return body_->ready(); }
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
      const auto memory = std::make_shared<const Page>(std::move(page));
      return std::make_unique<HeldObject>(memory->bytes().first(size), memory, std::move(opened.meta));
    }
    if (std::exchange(asked_again, true)) throw mismatch(subject, *opened.checksum, actual);
    opened = again();
    if (!is_small(opened)) return std::make_unique<StreamedObject>(std::move(opened), subject);
  }
}

}  // namespace

std::unique_ptr<store::ObjectSource> open_object(const std::shared_ptr<Client>& client, std::string_view key,
                                                 const store::ReadOptions& options, const Call& call) {
  if (is_piece(options)) return open_piece(*client, key, options, call);
  const auto open = [&] { return ask(*client, key, options, call); };
  Opened opened = open();
  const std::string subject = client->location(client->full_key(key));
  if (is_small(opened)) return hold(*client, std::move(opened), subject, open);
  return std::make_unique<StreamedObject>(std::move(opened), subject);
}

}  // namespace penstock::s3
