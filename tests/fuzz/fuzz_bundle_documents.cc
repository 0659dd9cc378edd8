// The documents that others may have written, and that recovery believes, are read or corrupt; what is
// written is JSON and says what went in.
#include <string>

#include <nlohmann/json.hpp>

#include "penstock/base/json.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/uploads.h"

#include "claim.h"

using namespace penstock;
using bundles::Json;
using fuzz::claim;

namespace {

const WallTime kNow{std::chrono::hours{24 * 20'000}};

void check_pending(std::string_view text) {
  const auto record = fuzz::parsed([&] { return bundles::parse_pending(text); });
  if (!record) return;
  const std::string written = to_text(*record);
  if (!record->marker) return;  // an older writer's: it is never written again
  claim(to_text(bundles::parse_pending(written)) == written, "a record is read back");
}

void check_notes(std::string_view text) {
  const auto note = bundles::parse_upload_note(text);
  claim(!note || (!note->bid.empty() && !note->root.empty() && !note->content.empty()),
        "a note says which bundle's uploads it means");
  bundles::is_given_up(text, text, kNow, std::chrono::hours{24});
  if (const auto time = bundles::parse_timestamp(text))
    claim(bundles::parse_timestamp(bundles::timestamp(*time)) == time, "a time is read back");
}

void check_written(const Json& json) {
  bundles::Sealed sealed{.ref = {.primary_url = json.dump(), .bid = "custom-1", .storage_key = "p"}};
  sealed.ref.meta = sealed.metadata = json;
  sealed.receipt.manifest_sha256 = "6b37";
  const auto marker = bundles::marker_text(sealed, "p/metadata.json");
  const Json read = Json::parse(marker.before + "[\"k\"]" + marker.after);
  claim(read["meta"] == json && read["completion_metadata"] == json, "a marker says what it was told");
  claim(read["uploaded_keys"] == Json::array({"k"}) && read["primary_url"] == json.dump(), "and of what");
  const std::string message = bundles::message_body(sealed, "fr");
  claim(message.find_first_not_of("\n\r\t !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                  "abcdefghijklmnopqrstuvwxyz{|}~\x7f") == message.npos,
        "a message is ASCII");
  claim(Json::parse(message)["metadata"] == json, "and says what it was told");
  bundles::python_repr(bundles::bundle_meta(sealed));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_pending(text);
  check_notes(text);
  if (fuzz::parsed([&] { return parse_json(text), true; })) check_written(Json::parse(text));
  return 0;
}
