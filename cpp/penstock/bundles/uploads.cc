#include "penstock/bundles/uploads.h"

#include "penstock/base/clock.h"
#include "penstock/base/json.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/owner.h"

namespace penstock::bundles {
namespace {

Json signed_now() {
  Json json;
  json["owner"] = this_owner();
  json["timestamp"] = timestamp(Clock::system()->wall());
  return json;
}

std::optional<nlohmann::json> parse_object(std::string_view text) {
  try {
    auto json = parse_json(text);
    return json.is_object() ? std::optional{std::move(json)} : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string upload_note(std::string_view bid, const BundleKeys& keys) {
  Json json = signed_now();
  json["bid"] = bid;
  json["root"] = keys.root;
  json["content"] = keys.content;
  return compact(json);
}

std::optional<UploadNote> parse_upload_note(std::string_view text) {
  const auto json = parse_object(text);
  if (!json) return std::nullopt;
  UploadNote note{.bid = text_at(*json, "bid"),
                  .root = text_at(*json, "root"),
                  .content = text_at(*json, "content"),
                  .owner = text_at(*json, "owner"),
                  .written = text_at(*json, "timestamp")};
  if (note.bid.empty() || note.root.empty() || note.content.empty()) return std::nullopt;
  return note;
}

std::string claim_text() {
  return compact(signed_now());
}

bool claim_is_given_up(std::string_view text, WallTime now, std::chrono::hours after) {
  const auto json = parse_object(text);
  return json && is_given_up(text_at(*json, "owner"), text_at(*json, "timestamp"), now, after);
}

}  // namespace penstock::bundles
