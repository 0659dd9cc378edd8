#include "penstock/s3/writer.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <unistd.h>

#include "penstock/base/uuid.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/put_object.h"
#include "penstock/s3/relay.h"

namespace penstock::s3 {
namespace {

// Borrowed bytes that say when nobody refers to them any more.
class SlicePart final : public http::Payload {
 public:
  SlicePart(Bytes bytes, std::shared_ptr<Flight> flight) : bytes_(bytes), flight_(std::move(flight)) {
    flight_->hold(held());
  }
  ~SlicePart() override { flight_->release(held()); }
  SlicePart(const SlicePart&) = delete;
  SlicePart& operator=(const SlicePart&) = delete;
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::size_t count = std::min<std::uint64_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::uint64_t held() const { return std::max<std::uint64_t>(bytes_.size(), 1); }
  Bytes bytes_;
  std::shared_ptr<Flight> flight_;
};

bool writes_token(const Client& client, const store::WriteOptions& options) {
  return options.token.value_or(client.config().token);
}

PartPlan plan_for(const Client& client, const Capabilities& row, const store::WriteOptions& options) {
  const std::uint64_t usual = std::max(client.config().part_bytes, row.default_part_bytes);
  return PartPlan{row, options.part_bytes.value_or(usual), options.length, options.length_hint};
}

Error mismatch(const std::string& what, std::string expected, std::string actual) {
  Facts facts{.side = Side::sink, .doing = "verify"};
  facts.expected = std::move(expected);
  facts.actual = std::move(actual);
  std::string message =
      what + " differs, nothing was published: expected " + facts.expected + ", actual " + facts.actual;
  return Error{Kind::corrupt, std::move(message), std::move(facts)};
}

}  // namespace

ObjectWriter::ObjectWriter(std::shared_ptr<Client> client, std::string full_key, store::WriteOptions options,
                           Call call)
    : process_(getpid()),
      client_(std::move(client)),
      key_(std::move(full_key)),
      options_(std::move(options)),
      call_(std::move(call)),
      row_(client_->capabilities(call_)),
      plan_(plan_for(*client_, row_, options_)),
      lanes_(lanes_for(options_, client_->config().max_parts_in_flight)),
      spool_dir_(options_.spool_dir.value_or(client_->config().spool_dir)),
      checksum_(client_->write_checksum(client_->checksum_choice(options_))),
      begun_(client_->http().clock().now()) {
  identity_.key = key_;
  if (writes_token(*client_, options_)) identity_.token = random_uuid();
  identity_.begun = client_->server_now();
  const std::string& choice = client_->checksum_choice(options_);
  identity_.checksum_by_name = choice != "auto" && choice != "none";
  identity_.customer_key = customer_key_headers(client_->customer_key(options_.sse_customer_key));
  attributes_ = attribute_headers(options_, row_, identity_.token);
  add_headers(attributes_, identity_.customer_key);
  const bool one_request = !options_.length || *options_.length <= plan_.size_of(1);
  refuse_condition(one_request ? row_.conditional_put : row_.conditional_complete,
                   one_request ? "PutObject" : "CompleteMultipartUpload");
  hash_by(checksum_);
}

ObjectWriter::ObjectWriter(const std::shared_ptr<Client>& client, const UploadState& state, Resumed resumed,
                           const store::WriteOptions& options, const Call& call)
    : ObjectWriter(client, state.key, resumed_options(*client, state, resumed, options), call) {
  refuse_condition(row_.conditional_complete, "CompleteMultipartUpload");
  identity_.token = state.token;
  if (state.begun) identity_.begun = *state.begun;
  hash_by(resumed.checksum);
  fix_sizes(plan_, resumed);
  upload_ = std::make_unique<MultipartUpload>(
      client_, flight_, identity_,
      UploadOptions{.mode = options_.mode, .attributes = {}, .lanes = lanes_, .resumed = std::move(resumed)},
      call_);
}

// `checksum` goes out with the parts; what the caller expects besides is computed beside it.
void ObjectWriter::hash_by(std::optional<Algorithm> checksum) {
  checksum_ = checksum;
  part_checksum_.reset();
  if (checksum_) part_checksum_.emplace(*checksum_);
  expected_.clear();
  for (const Digest& digest : options_.expected) {
    if (digest.algorithm() != checksum_) expected_.emplace_back(digest.algorithm());
  }
}

std::optional<UploadState> ObjectWriter::state() const {
  if (!upload_ || state_ != State::open) return std::nullopt;
  return UploadState{.bucket = client_->config().bucket,
                     .key = key_,
                     .upload_id = upload_->id(),
                     .token = identity_.token,
                     .mode = options_.mode,
                     .part_bytes = plan_.size_of(1),
                     .length = options_.length,
                     .length_hint = options_.length_hint,
                     .checksum = checksum_ ? std::string{to_string(*checksum_)} : std::string{},
                     .begun = identity_.begun};
}

ObjectWriter::~ObjectWriter() {
  if (!is_in_child()) {
    abort("the writer was dropped unfinished");
    return;
  }
  // Nothing of it is touched: a lock may have been held at the fork, and the upload is the parent's.
  new std::unique_ptr<MultipartUpload>(std::move(upload_));
  new std::shared_ptr<Flight>(std::move(flight_));
  new std::shared_ptr<PagedPart>(std::move(part_));
  new PayloadPtr(std::move(whole_));
  new Page(std::move(spare_));
  new std::shared_ptr<Client>(std::move(client_));
}

bool ObjectWriter::is_in_child() const {
  return getpid() != process_;
}

template <typename Step>
auto ObjectWriter::guarded(Step step) {
  if (is_in_child()) throw std::logic_error{"a writer does not survive fork(): open it in the child"};
  if (state_ != State::open) throw std::logic_error{"this writer is finished or aborted"};
  try {
    return step();
  } catch (Error& error) {
    Facts& facts = error.facts();
    if (facts.side == Side::none) facts.side = Side::sink;
    if (facts.subject.empty()) facts.subject = client_->location(key_);
    if (facts.upload_id.empty() && upload_) facts.upload_id = upload_->id();
    facts.bytes_done = total_;
    abort(error.message());
    throw;
  } catch (...) {
    abort("interrupted");
    throw;
  }
}

// No emulation by HEAD: between the look and the write another may write.
void ObjectWriter::refuse_condition(Support support, const char* request) const {
  if (options_.mode.kind == store::Mode::Kind::overwrite || client_->honours(support)) return;
  throw Error{
      Kind::refused,
      "whether the provider \"" + row_.provider + "\" honours a condition on " + request + " is not known (" +
          std::string{to_string(support)} +
          "), and an ignored one would overwrite; use mode=\"overwrite\", or conditional=\"trust\" where "
          "you know it does",
      {.side = Side::sink, .doing = "open writer", .subject = client_->location(key_)}};
}

void ObjectWriter::write(Bytes bytes) {
  guarded([&] {
    while (!bytes.empty()) {
      const MutableBytes space = room();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      took(space.first(count));
      bytes = bytes.subspan(count);
    }
  });
}

std::uint64_t ObjectWriter::write_from(Source& source) {
  const std::uint64_t before = total_;
  if (relays(source)) {
    guarded([&] { relay(source); });
    return total_ - before;
  }
  while (part_takes_no_more() ? take_page(source) : fill_page(source)) {
  }
  return total_ - before;
}

// Each of the two: false at the end. What a source throws is its own: this writer is still whole.
bool ObjectWriter::fill_page(Source& source) {
  const MutableBytes space = guarded([&] { return room(); });
  const std::size_t count = source.read(space);
  if (count > 0) guarded([&] { took(space.first(count)); });
  return count > 0;
}

// Into a page of its own, which a source made of pages fills without copying. Whether a full first part is
// the whole object shows only by what comes after it, so the page is read before the part is sent.
bool ObjectWriter::take_page(Source& source) {
  if (!spare_) spare_ = guarded([&] { return fresh_page(); });
  const std::uint64_t left = left_for_a_page();
  const std::size_t count =
      left < kPageBytes ? source.read(spare_.bytes().first(left)) : source.read_page(spare_);
  if (count == 0) {
    if (!part_ || !part_->spills()) spare_ = Page{};
    return false;
  }
  guarded([&] {
    add_page(std::exchange(spare_, Page{}));
    took(part_->room().first(count));
  });
  return true;
}

void ObjectWriter::took(Bytes bytes) {
  part_->grow(bytes.size());
  account(bytes);
}

void ObjectWriter::account(Bytes bytes) {
  total_ += bytes.size();
  if (options_.length && total_ > *options_.length) {
    throw mismatch("the length", std::to_string(*options_.length), "at least " + std::to_string(total_));
  }
  if (part_checksum_) part_checksum_->update(bytes);
  for (Hasher& hasher : expected_) hasher.update(bytes);
}

void ObjectWriter::seal() {
  send_part(std::exchange(part_, nullptr));
}

void ObjectWriter::send_part(PayloadPtr part) {
  if (part_number_ > plan_.max_parts()) refuse_another_part();
  const std::uint64_t bytes = part->size();
  std::optional<Digest> checksum = close_checksum(bytes);
  open_upload();
  upload_->send(std::move(part), std::move(checksum));
  ++part_number_;
}

void ObjectWriter::refuse_another_part() const {
  const std::string budget = format_bytes(client_->http().budget()->statistics().limit);
  throw Error{Kind::refused,
              "the object needs more than " + std::to_string(plan_.max_parts()) +
                  " parts, the provider's limit; " +
                  (growth_stopped_ ? "they grew no further than the Budget of " + budget +
                                         " has room: give it more, a spool_dir, or length="
                                   : "give length= or a larger part_bytes="),
              {.side = Side::sink, .code = std::string{code::kTooLarge}}};
}

void ObjectWriter::open_upload() {
  if (upload_) return;
  refuse_condition(row_.conditional_complete, "CompleteMultipartUpload");
  if (options_.before_upload) options_.before_upload();
  UploadOptions options{options_.mode, attributes_, lanes_, options_.reap.value_or(client_->config().reap)};
  if (mode_ != kRelayMode || takes_trailers(*client_, row_)) {
    options.checksum = client_->write_checksum(client_->checksum_choice(options_));
  } else if (identity_.checksum_by_name) {
    throw Error{
        Kind::refused,
        "the endpoint takes no checksum after a body, and one was asked for by name; write without relay=",
        {.side = Side::sink, .doing = "create upload"}};
  }
  upload_ = std::make_unique<MultipartUpload>(client_, flight_, identity_, std::move(options), call_);
}

// The checksum of the part now sealed, which is also combined into the whole object's.
std::optional<Digest> ObjectWriter::close_checksum(std::uint64_t part_bytes) {
  if (!part_checksum_) return std::nullopt;
  Digest part = part_checksum_->digest();
  part_checksum_.emplace(*checksum_);
  sealed_checksum_ = sealed_checksum_ ? combine(*sealed_checksum_, part, part_bytes) : part;
  return part;
}

Receipt ObjectWriter::finish() {
  return guarded([&] {
    spare_ = Page{};
    if (upload_ && part_ && part_->size() > 0) seal();
    if (!upload_) close_checksum(total_);
    if (upload_ && total_ == 0) {
      throw Error{Kind::refused, "the source is empty, and an upload that was begun needs a part"};
    }
    verify();
    Receipt receipt = publish();
    state_ = State::finished;
    return receipt;
  });
}

Receipt ObjectWriter::put(Bytes bytes) {
  const auto unheld = [&] {
    part_.reset();
    whole_.reset();
    flight_->wait_until_unheld();
  };
  try {
    Receipt receipt = guarded([&] {
      put_slices(bytes);
      verify();
      Receipt published = publish();
      state_ = State::finished;
      return published;
    });
    unheld();
    return receipt;
  } catch (...) {
    unheld();
    throw;
  }
}

void ObjectWriter::put_slices(Bytes bytes) {
  if (options_.relay) mode_reason_ = "the data is in memory";
  if (bytes.size() <= plan_.size_of(1)) {
    account(bytes);
    close_checksum(bytes.size());
    whole_ = std::make_shared<SlicePart>(bytes, flight_);
    return;
  }
  while (!bytes.empty()) {
    const Bytes slice = bytes.first(std::min<std::uint64_t>(bytes.size(), plan_.size_of(part_number_)));
    account(slice);
    send_part(std::make_shared<SlicePart>(slice, flight_));
    bytes = bytes.subspan(slice.size());
  }
}

// Before anything is visible.
void ObjectWriter::verify() const {
  if (options_.length && total_ != *options_.length) {
    throw mismatch("the length", std::to_string(*options_.length), std::to_string(total_));
  }
  for (const Digest& expected : options_.expected) {
    const auto hasher = std::ranges::find(expected_, expected.algorithm(), &Hasher::algorithm);
    const Digest actual = hasher != expected_.end() ? hasher->digest() : *sealed_checksum_;
    if (actual.equals(expected)) continue;
    throw mismatch("the " + std::string{to_string(expected.algorithm())} + " digest", expected.hex(),
                   actual.hex());
  }
}

Receipt ObjectWriter::publish() {
  return receipt_of(upload_ ? upload_->publish(total_, sealed_checksum_) : put_whole());
}

Published ObjectWriter::put_whole() {
  refuse_condition(row_.conditional_put, "PutObject");
  identity_.bytes = total_;
  identity_.known = sealed_checksum_;
  const bool sends_it = identity_.checksum_by_name || client_->endpoint().takes_checksums();
  identity_.checksum = sends_it ? sealed_checksum_ : std::nullopt;
  PayloadPtr body = whole_ ? whole_ : part_ ? std::exchange(part_, nullptr) : http::text_payload("");
  if (row_.content_md5) add_content_md5(attributes_, *body);
  return put_object_and_settle(client_, identity_, options_.mode, attributes_, std::move(body), call_);
}

Receipt ObjectWriter::receipt_of(const Published& published) const {
  Receipt receipt;
  receipt.bytes = total_;
  receipt.key = key_;
  receipt.bucket = client_->config().bucket;
  receipt.location = client_->location(key_);
  receipt.etag = published.etag;
  receipt.version_id = published.version_id;
  receipt.content_type = options_.content_type;
  if (sealed_checksum_) {
    receipt.digests[std::string{to_string(*checksum_)}] = sealed_checksum_->hex();
  }
  for (const Hasher& hasher : expected_) {
    receipt.digests[std::string{to_string(hasher.algorithm())}] = hasher.digest().hex();
  }
  receipt.seconds = std::chrono::duration<double>(client_->http().clock().now() - begun_).count();
  receipt.attempts = published.attempts;
  receipt.mode = !mode_.empty() ? mode_ : upload_ ? "multipart" : "put";
  receipt.mode_reason = !mode_reason_.empty() ? mode_reason_
                        : options_.relay      ? "written in pieces"
                        : upload_             ? "larger than one part"
                                              : "fits one part";
  if (upload_ && upload_->kept() > 0) {
    receipt.mode_reason = "resumed: " + std::to_string(upload_->kept()) + " of " +
                          std::to_string(upload_->parts()) + " parts were there";
  }
  return receipt;
}

void ObjectWriter::abort(std::string_view) noexcept {
  if (state_ != State::open || is_in_child()) return;
  state_ = State::aborted;
  spare_ = Page{};
  part_.reset();
  if (upload_) upload_->abort();
}

}  // namespace penstock::s3
