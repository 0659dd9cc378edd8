#include "penstock/bundles/uploads.h"

#include "penstock/base/clock.h"
#include "penstock/base/json.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/owner.h"

namespace penstock::bundles {
namespace {

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
  Json json;
  json["owner"] = this_owner();
  json["timestamp"] = timestamp(Clock::system()->wall());
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

}  // namespace penstock::bundles
