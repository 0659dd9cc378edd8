#include "penstock/bundles/documents.h"

#include <charconv>
#include <ctime>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "penstock/base/json.h"
#include "penstock/base/utf8.h"
#include "penstock/base/wall_time.h"
#include "penstock/bundles/pending_log.h"

namespace penstock::bundles {
namespace {

Json optional_text(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

// The five keys every document begins with.
Json reference(const BundleRef& ref) {
  Json json;
  json["bid"] = ref.bid;
  json["primary_url"] = ref.primary_url;
  json["resources_count"] = ref.resources_count;
  json["storage_key"] = optional_text(ref.storage_key);
  json["meta"] = ref.meta;
  return json;
}

void add_totals(Json& json, const Sealed& sealed) {
  json["resources_stored"] = sealed.receipt.resources_stored;
  json["resources_failed"] = sealed.receipt.resources_failed;
  json["bytes"] = sealed.receipt.bytes;
  json["manifest_sha256"] = sealed.receipt.manifest_sha256;
  json["completed_at"] = sealed.receipt.completed_at;
  json["completion_metadata"] = sealed.metadata;
}

std::string python_text(std::string_view text) {
  const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string out{quote};
  while (!text.empty()) {
    const auto c = take_character(text);
    if (!c) {
      out += "\xef\xbf\xbd";
    } else if (*c == static_cast<char32_t>(quote) || *c == U'\\') {
      out += {'\\', static_cast<char>(*c)};
    } else if (*c == U'\n' || *c == U'\r' || *c == U'\t') {
      out += *c == U'\n' ? "\\n" : *c == U'\r' ? "\\r" : "\\t";
    } else if (*c < 0x20 || (*c >= 0x7f && *c <= 0xa0)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(*c));
    } else {
      append_utf8(out, *c);
    }
  }
  return out += quote;
}

// Digits only, exactly as many as asked for.
std::optional<int> number(std::string_view text, std::size_t at, std::size_t digits) {
  if (text.size() < at + digits) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + digits, value);
  return error == std::errc{} && end == text.data() + at + digits && value >= 0 ? std::optional{value}
                                                                                : std::nullopt;
}

[[noreturn]] void malformed(const char* what) {
  throw Error{Kind::corrupt, fmt::format("a pending record {}", what), {.doing = "read a pending record"}};
}

std::string text_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) malformed(fmt::format("has no text \"{}\"", name).c_str());
  return found->get<std::string>();
}

BundleRef reference_from(const Json& json) {
  if (!json.is_object()) malformed("has no bundle_ref");
  BundleRef ref{.primary_url = text_in(json, "primary_url"), .bid = text_in(json, "bid")};
  const auto count = json.find("resources_count");
  if (count == json.end() || !count->is_number_integer()) malformed("has no resources_count");
  ref.resources_count = count->get<std::int64_t>();
  const auto key = json.find("storage_key");
  if (key != json.end() && key->is_string()) ref.storage_key = key->get<std::string>();
  const auto meta = json.find("meta");
  if (meta != json.end() && meta->is_object()) ref.meta = *meta;
  return ref;
}

}  // namespace

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string indented(const Json& json, bool ascii) {
  return json.dump(2, ' ', ascii, Json::error_handler_t::replace);
}

std::string python_repr(const Json& json) {
  if (json.is_null()) return "None";
  if (json.is_boolean()) return json.get<bool>() ? "True" : "False";
  if (json.is_string()) return python_text(json.get<std::string>());
  if (!json.is_structured()) return compact(json);
  std::string inner;
  for (const auto& [key, value] : json.items()) {
    if (!inner.empty()) inner += ", ";
    inner += json.is_object() ? python_text(key) + ": " + python_repr(value) : python_repr(value);
  }
  return json.is_object() ? "{" + inner + "}" : "[" + inner + "]";
}

std::string timestamp(WallTime at) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
  const std::tm utc = fmt::gmtime(static_cast<std::time_t>(seconds.count()));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", utc, (micros - seconds).count());
}

std::optional<WallTime> parse_timestamp(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text.back() != 'Z')
    return std::nullopt;
  const auto y = number(text, 0, 4), m = number(text, 5, 2), d = number(text, 8, 2);
  const auto h = number(text, 11, 2), min = number(text, 14, 2), s = number(text, 17, 2);
  if (!y || !m || !d || !h || !min || !s) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*y}, std::chrono::month(static_cast<unsigned>(*m)),
                                         std::chrono::day(static_cast<unsigned>(*d))};
  if (!date.ok() || *h > 23 || *min > 59 || *s > 60) return std::nullopt;
  return wall_time(std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{*h} +
                   std::chrono::minutes{*min} + std::chrono::seconds{*s});
}

Json bundle_meta(const Sealed& sealed) {
  Json json = reference(sealed.ref);
  add_totals(json, sealed);
  return json;
}

Json legacy_bundle_meta(const Sealed& sealed) {
  return reference(sealed.ref);
}

MarkerText marker_text(const Sealed& sealed, std::string_view marker_key) {
  Json before;
  before["bid"] = sealed.ref.bid;
  before["primary_url"] = sealed.ref.primary_url;
  before["resources_count"] = sealed.ref.resources_count;
  before["storage_key"] = marker_key;
  Json after;
  after["meta"] = sealed.ref.meta;
  add_totals(after, sealed);
  std::string head = indented(before), tail = indented(after);
  head.resize(head.size() - 2);  // "\n}"
  return {head + ",\n  \"uploaded_keys\": ", "," + tail.substr(1)};
}

std::string discovered_text(const BundleRef& ref, const std::string& at) {
  Json json;
  json["bid"] = ref.bid;
  json["primary_url"] = ref.primary_url;
  json["discovered_at"] = at;
  json["meta"] = ref.meta;
  return compact(json);
}

std::string message_body(const Sealed& sealed, std::string_view recipe_id) {
  Json json;
  json["bundle_id"] = sealed.ref.bid;
  json["recipe_id"] = recipe_id;
  json["primary_url"] = sealed.ref.primary_url;
  json["resources_count"] = sealed.ref.resources_count;
  json["storage_key"] = optional_text(sealed.ref.storage_key);
  json["completion_timestamp"] = sealed.receipt.completed_at;
  json["metadata"] = sealed.metadata;
  if (!sealed.receipt.manifest_sha256.empty()) {
    Json& bundle = json["bundle"];
    bundle["resources_stored"] = sealed.receipt.resources_stored;
    bundle["bytes"] = sealed.receipt.bytes;
    bundle["manifest_sha256"] = sealed.receipt.manifest_sha256;
  }
  return indented(json, true);
}

std::string to_text(const PendingRecord& record) {
  Json json;
  json["bundle_ref"] = reference(record.ref);
  json["metadata"] = record.metadata;
  json["timestamp"] = record.written;
  json["v"] = 1;
  if (record.marker) {
    Json& marker = json["marker"];
    marker["bucket"] = record.marker->bucket;
    marker["key"] = record.marker->key;
    marker["token"] = record.marker->token;
  }
  json["owner"] = record.owner;
  return compact(json);
}

PendingRecord parse_pending(std::string_view text) {
  parse_json(text, kMaxRecordDepth, kMaxRecordBytes);  // within limits; then once more, in the order it has
  const Json json = Json::parse(text);
  if (!json.is_object() || !json.contains("bundle_ref")) malformed("is no object with a bundle_ref");
  PendingRecord record{.ref = reference_from(json["bundle_ref"])};
  if (const auto found = json.find("metadata"); found != json.end()) record.metadata = *found;
  if (const auto found = json.find("timestamp"); found != json.end() && found->is_string())
    record.written = found->get<std::string>();
  if (!json.contains("v")) return record;
  const auto marker = json.find("marker");
  if (marker == json.end() || !marker->is_object()) malformed("has no marker");
  record.marker = Marker{text_in(*marker, "bucket"), text_in(*marker, "key"), text_in(*marker, "token")};
  record.owner = text_in(json, "owner");
  return record;
}

}  // namespace penstock::bundles
