// The small JSON documents of a bundle: what readers trust, what the queue is told, what recovery reads.
//
// Source: docs/formats/bundles.md.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/bundles/bundle.h"
#include "penstock/bundles/manifest.h"

namespace penstock::bundles {

// Without spaces; text that is no UTF-8 has its bad bytes replaced.
std::string compact(const Json& json);
// Indented by 2, as Python's json.dumps writes it; `ascii`: other characters as \uXXXX.
std::string indented(const Json& json, bool ascii = false);
// As Python prints a dict: what older readers of a folder expect.
std::string python_repr(const Json& json);

// "2026-01-15T10:30:00.123456Z".
std::string timestamp(WallTime at);
std::optional<WallTime> parse_timestamp(std::string_view text);

// What completing has fixed of a bundle: the same in all documents, however often it is tried.
struct Sealed {
  BundleRef ref{};  // storage_key set
  Json metadata = Json::object();
  BundleReceipt receipt{};
};

// bundle.meta, and without its last keys what readers of the older format find.
Json bundle_meta(const Sealed& sealed);
Json legacy_bundle_meta(const Sealed& sealed);

// The marker's JSON in two halves, between which uploaded keys stand: they are many, so they are streamed.
struct MarkerText {
  std::string before{}, after{};
};
MarkerText marker_text(const Sealed& sealed, std::string_view marker_key);

// What the layout manifest has from the beginning.
std::string discovered_text(const BundleRef& ref, const std::string& at);

// The message, and its attributes: bundle_id, recipe_id, completion_timestamp.
std::string message_body(const Sealed& sealed, std::string_view recipe_id);

// Where to look whether a bundle became visible.
struct Marker {
  std::string bucket{}, key{}, token{};
};

// What is written down before the commit, so that whoever recovers can tell what is outstanding.
struct PendingRecord {
  BundleRef ref{};
  Json metadata = Json::object();
  std::string written{};           // a timestamp
  std::optional<Marker> marker{};  // unset: of an older writer, which wrote it after the commit
  std::string owner{};
};
std::string to_text(const PendingRecord& record);
// Throws Error(corrupt) for what is none.
PendingRecord parse_pending(std::string_view text);

}  // namespace penstock::bundles
