// Ranges, lengths, dates and waits are read to the letter, or not at all.
#include <string>

#include "penstock/http/content_range.h"
#include "penstock/http/http_date.h"
#include "penstock/http/retry.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

void check_ranges(const std::string& text) {
  if (const auto range = fuzz::parsed([&] { return http::ContentRange::parse(text); })) {
    claim(range->first <= range->last && range->last < range->total, "a range lies within its total");
    claim(http::ContentRange::parse(range->text()) == *range, "and is read back");
    claim(fuzz::parsed([&] { return http::content_range({{"Content-Range", text}}); }) == range,
          "as a header");
  }
  if (const auto range = http::ByteRange::parse(text)) {
    claim(!range->last || range->first <= *range->last, "a request asks forwards");
    claim(http::ByteRange::parse(range->text()) == range, "and is read back");
  }
  fuzz::parsed([&] { return http::unsatisfied_range_total({{"Content-Range", text}}); });
}

void check_length(const std::string& text) {
  const auto length = fuzz::parsed([&] { return http::content_length({{"Content-Length", text}}); });
  if (!length) return;
  claim(length->has_value(), "a header that passes has a value");
  claim(text.find_first_not_of("0123456789, \t") == text.npos, "made of digits and lists of them");
  const http::Headers twice{{"Content-Length", text}, {"Content-Length", std::to_string(**length)}};
  claim(http::content_length(twice) == *length, "the same again is the same");
}

void check_times(const std::string& text) {
  const auto date = http::parse_http_date(text);
  if (date)
    claim(http::parse_http_date(http::http_date(*date)) == std::chrono::floor<std::chrono::seconds>(*date),
          "a date is read back");
  const auto wait = http::retry_after({{"Retry-After", text}}, WallTime{});
  if (wait) claim(wait->count() >= 0 && *wait <= std::chrono::hours{24 * 366}, "a wait is bounded");
  const auto dated = http::retry_after({{"Retry-After", text}, {"Date", text}}, WallTime{});
  if (date) claim(dated && dated->count() == 0, "a date is no wait from itself");
  if (const auto amz = http::amz_retry_after({{"x-amz-retry-after", text}}))
    claim(amz->count() >= 0, "a hint is no debt");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  check_ranges(text);
  check_length(text);
  check_times(text);
  return 0;
}
