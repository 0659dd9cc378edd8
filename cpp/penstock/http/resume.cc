#include "penstock/http/resume.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "penstock/http/content_range.h"
#include "penstock/http/http_date.h"

namespace penstock::http {
namespace {

constexpr std::chrono::seconds kSettled{60};

Error side_source(Kind kind, std::string_view code, std::string message) {
  Facts facts;
  facts.side = Side::source;
  facts.code = code;
  return Error(kind, std::move(message), std::move(facts));
}

Error changed(std::string_view how) {
  return side_source(
      Kind::conflict, code::kChanged,
      fmt::format("the object changed while it was read ({}); start again from its first byte", how));
}

// An ETag that is not weak. One without quotes is an opaque word some stores send; it goes back as it came.
std::string strong_etag(const Headers& headers) {
  const auto etag = headers.get("etag");
  return etag.starts_with("W/") ? std::string{} : std::string(etag);
}

// RFC 9112 section 6.3: beside a Transfer-Encoding a Content-Length says nothing.
std::optional<std::uint64_t> announced_length(const Headers& headers) {
  const auto length = content_length(headers);
  return headers.has("transfer-encoding") ? std::nullopt : length;
}

std::string settled_last_modified(const Headers& headers) {
  const auto text = headers.get("last-modified");
  const auto modified = parse_http_date(text);
  const auto date = parse_http_date(headers.get("date"));
  return modified && date && *date - *modified >= kSettled ? std::string(text) : std::string{};
}

}  // namespace

Resume::Resume(const Request& asked, int status, const Headers& answer) {
  sent_etag_ = answer.get("etag");
  sent_last_modified_ = answer.get("last-modified");
  etag_ = strong_etag(answer);
  if (etag_.empty()) last_modified_ = settled_last_modified(answer);
  offers_ranges_ = status == 206 || same_name(answer.get("accept-ranges"), "bytes");
  if (status != 206) {
    total_ = announced_length(answer);
    return;
  }
  const ContentRange came = content_range(answer);
  const auto range = ByteRange::parse(asked.headers.get("range"));
  if (range && (came.first != range->first || (range->last && came.last > *range->last))) {
    throw side_source(Kind::corrupt, "content_range",
                      fmt::format("asked for {}, the answer carries {}", range->text(), came.text()));
  }
  first_ = came.first;
  last_ = came.last;
  total_ = came.total;
}

std::string_view Resume::obstacle() const {
  if (etag_.empty()) return "the source has no strong ETag";
  return offers_ranges_ ? "" : "the source offers no ranges";
}

std::optional<std::uint64_t> Resume::bytes() const {
  if (last_) return *last_ - first_ + 1;
  return total_;
}

Request Resume::shaped(Request asked, std::uint64_t delivered, bool if_match) const {
  asked.headers.set("Range", ByteRange{first_ + delivered, last_}.text());
  for (const char* name : {"If-Match", "If-Range", "If-Unmodified-Since"}) asked.headers.remove(name);
  const std::string& validator = etag_.empty() ? last_modified_ : etag_;
  const char* condition = !if_match ? "If-Range" : etag_.empty() ? "If-Unmodified-Since" : "If-Match";
  asked.headers.set(condition, validator);
  return asked;
}

Resume::Answer Resume::check(int status, const Headers& answer, std::uint64_t delivered, bool if_match) {
  switch (status) {
    case 206:
      return check_partial(answer, first_ + delivered, if_match);
    case 200:
      return check_whole(answer);
    case 412:
      throw changed("412");
    case 416:
      return check_unsatisfied(answer, first_ + delivered);
    default:
      return Answer::other;
  }
}

Resume::Answer Resume::check_partial(const Headers& answer, std::uint64_t wanted, bool if_match) {
  const ContentRange came = content_range(answer);
  if (if_match && !etag_.empty() && !answer.has("etag"))
    throw side_source(Kind::corrupt, "etag", "a 206 to If-Match came without its ETag");
  if (!same_validators(answer)) throw changed("its validator is another");
  if (total_ && came.total != *total_) throw changed("its size is another");
  if (came.first != wanted || (last_ && came.last > *last_)) {
    throw side_source(Kind::corrupt, "content_range",
                      fmt::format("asked for bytes from {}, the answer carries {}", wanted, came.text()));
  }
  total_ = came.total;
  return Answer::go_on;
}

Resume::Answer Resume::check_whole(const Headers& answer) const {
  const bool has_validator = answer.has(etag_.empty() ? "last-modified" : "etag");
  if (!has_validator || !same_validators(answer)) throw changed("its validator is another");
  const auto length = announced_length(answer);
  if (length && total_ && *length != *total_) throw changed("its size is another");
  if (first_ == 0 && !last_) return Answer::whole;
  throw side_source(Kind::lost, code::kNotResumable, "the server ignores Range, so a part cannot go on");
}

Resume::Answer Resume::check_unsatisfied(const Headers& answer, std::uint64_t wanted) const {
  const auto total = unsatisfied_range_total(answer);
  if (total == wanted && (!total_ || *total_ == wanted)) return Answer::end;
  throw changed("416");
}

// Equal strong ETags are the same bytes, whatever else differs (RFC 9110 section 8.8.3.2). Without them
// nothing the answer sends may differ from what came first.
bool Resume::same_validators(const Headers& answer) const {
  if (!etag_.empty() && answer.has("etag")) return answer.get("etag") == etag_;
  return (!answer.has("etag") || answer.get("etag") == sent_etag_) &&
         (!answer.has("last-modified") || answer.get("last-modified") == sent_last_modified_);
}

}  // namespace penstock::http
