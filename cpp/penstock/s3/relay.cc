#include "penstock/s3/relay.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "penstock/aws/payload_hash.h"
#include "penstock/http/upload_stream.h"
#include "penstock/http/url.h"
#include "penstock/s3/writer.h"

namespace penstock::s3 {
namespace {

// Nobody on the way may change what no signature covers.
std::string obstacle_to_sending_unsigned(const Client& client) {
  const std::string& choice = client.config().sign_payload;
  if (choice == "always") return "sign_payload hashes each part before it is sent";
  const http::Url url = http::Url::parse(client.address().bucket_url());
  const bool guarded = choice == "never" || url.scheme == "https" || aws::is_loopback(url);
  return guarded ? "" : "plain http needs the hash of each part before it is sent";
}

template <typename Work>
auto of_the_source(Work work) {
  try {
    return work();
  } catch (Error& error) {
    if (error.facts().side == Side::none) error.facts().side = Side::source;
    throw;
  }
}

// The first bytes of a body that its maker reads from a source; 0 at the source's end.
std::size_t read_into(http::UploadStream& body, Source& source, std::uint64_t most) {
  const MutableBytes room = body.room();
  return source.read(room.first(std::min<std::uint64_t>(room.size(), most)));
}

Error another_length(const std::string& how, std::uint64_t expected, const std::string& actual) {
  return {Kind::corrupt,
          "the source " + how + ", nothing was published",
          {.side = Side::source, .doing = "relay", .expected = std::to_string(expected), .actual = actual}};
}

Error too_short(std::uint64_t expected, std::uint64_t actual) {
  const std::string bytes = std::to_string(actual);
  return another_length("ended after " + bytes + " of " + std::to_string(expected) + " bytes", expected,
                        bytes);
}

Error too_long(std::uint64_t expected) {
  const std::string bytes = std::to_string(expected);
  return another_length("goes on after its " + bytes + " bytes", expected, "more than " + bytes);
}

std::uint64_t part_bytes(const Client& client, const Capabilities& row, const store::WriteOptions& options) {
  if (options.part_bytes) return *options.part_bytes;
  return std::clamp(std::max(kRelayPartBytes, client.config().part_bytes), row.min_part_bytes,
                    row.max_part_bytes);
}

bool asks_for_a_checksum(const Client& client, const store::WriteOptions& options) {
  const std::string& choice = client.checksum_choice(options);
  return choice != "auto" && choice != "none";
}

}  // namespace

bool takes_trailers(const Client& client, const Capabilities& row) {
  return row.trailers && client.endpoint().takes_trailers();
}

std::string relay_obstacle(const Client& client, const Capabilities& row, const store::WriteOptions& options,
                           const Source& source) {
  const auto length = options.length ? options.length : source.remaining();
  if (!length) return "the source has no length";
  if (const auto obstacle = source.repeat_obstacle(); !obstacle.empty()) return std::string{obstacle};
  return relay_obstacle(client, row, options, *length);
}

std::string relay_obstacle(const Client& client, const Capabilities& row, const store::WriteOptions& options,
                           std::uint64_t length) {
  if (length <= kLeastRelayBytes) return "fits one small request";
  if (asks_for_a_checksum(client, options) && !takes_trailers(client, row))
    return "the checksum asked for is known only after each part";
  if (row.content_md5) return "the provider compares a Content-MD5, which is known only after each part";
  const bool conditional = options.mode.kind != store::Mode::Kind::overwrite;
  if (conditional && !client.honours(row.conditional_complete))
    return "the provider takes a condition on one request only";
  return obstacle_to_sending_unsigned(client);
}

// What passes is counted and hashed by the writer, whose states go back with the source.
class ObjectWriter::Accounted : public Source {
 public:
  Accounted(Source& source, ObjectWriter& writer) : source_(source), writer_(writer) {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t got = of_the_source([&] { return source_.read(buffer); });
    const std::uint64_t length = *writer_.options_.length;
    if (got > length - writer_.total_) throw too_long(length);
    writer_.account(buffer.first(got));
    return got;
  }
  bool rewindable() const override { return true; }
  void mark() override {
    of_the_source([&] { source_.mark(); });
    total_ = writer_.total_;
    checksum_ = writer_.part_checksum_;
    expected_ = writer_.expected_;
  }
  void rewind() override {
    of_the_source([&] { source_.rewind(); });
    writer_.total_ = total_;
    writer_.part_checksum_ = checksum_;
    writer_.expected_ = expected_;
  }

 private:
  Source& source_;
  ObjectWriter& writer_;
  std::uint64_t total_ = 0;
  std::optional<Hasher> checksum_;
  std::vector<Hasher> expected_;
};

bool ObjectWriter::relays(const Source& source) {
  const bool fresh = state_ == State::open && total_ == 0 && !upload_;
  if (!options_.relay || !fresh) return false;
  mode_reason_ = relay_obstacle(*client_, row_, options_, source);
  if (!mode_reason_.empty()) return false;
  if (!options_.length) options_.length = source.remaining();
  mode_ = kRelayMode;
  mode_reason_ = "the source can be read again";
  return true;
}

void ObjectWriter::relay(Source& source) {
  plan_ = PartPlan{row_, part_bytes(*client_, row_, options_), options_.length, {}};
  lanes_ = 2;  // one is used: to hand a part over is not to wait for its answer
  Accounted accounted{source, *this};
  while (total_ < *options_.length) relay_part(accounted);
  // A source may still compare at its end, and one that goes on is another than was announced.
  std::byte beyond;
  accounted.read({&beyond, 1});
}

// An upload that declared checksums cannot take a part without: where the first trailer is refused another
// upload begins.
void ObjectWriter::relay_part(Source& source) {
  const std::uint64_t bytes = std::min(plan_.size_of(part_number_), *options_.length - total_);
  source.mark();
  try {
    send_relayed(source, bytes);
  } catch (const Error& error) {
    if (part_number_ > 1 || identity_.checksum_by_name || !refuses_checksums(error)) throw;
    source.rewind();
    upload_.reset();
    flight_ = std::make_shared<Flight>();
    send_relayed(source, bytes);
  }
  close_checksum(bytes);
  ++part_number_;
}

void ObjectWriter::send_relayed(Source& source, std::uint64_t bytes) {
  open_upload();
  const auto trailer =
      upload_->checksum() ? std::make_shared<PartTrailer>(*upload_->checksum(), bytes) : nullptr;
  const auto body = client_->http().upload_stream(trailer ? trailer->framed_bytes() : bytes, call_);
  upload_->send(body, std::nullopt, trailer);
  flight_->when_idle([body] { body->close(); });
  bool whole = false;
  for (bool again = false; body->wait_for_try(); again = true) {
    if (again) source.rewind();
    whole = relay_try(source, *body, bytes, trailer.get());
  }
  flight_->throw_fault();
  if (!whole) throw std::logic_error{"a part was taken that was not made"};
}

// Until the part is whole, or, false, its try is over.
bool ObjectWriter::relay_try(Source& source, http::UploadStream& body, std::uint64_t bytes,
                             PartTrailer* trailer) {
  for (std::uint64_t at = 0; at < bytes;) {
    const std::size_t got = read_into(body, source, trailer ? trailer->left_in_chunk(at) : bytes - at);
    if (got == 0) throw too_short(*options_.length, total_);
    if (trailer && !body.write(as_bytes(trailer->before(at)))) return false;
    if (!body.write(body.room().first(got))) return false;
    at += got;
    if (trailer && !body.write(as_bytes(trailer->after(at)))) return false;
  }
  return !trailer || body.write(as_bytes(trailer->end(part_checksum_->digest())));
}

}  // namespace penstock::s3
