// Where the objects of a bundle are in a bucket.
//
// Source: docs/formats/bundles.md, "S3".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/bundles/bundle.h"

namespace penstock::bundles {

enum class KeyLayout {
  doc,             // {p}/bundles/{bid}/resources/{name}
  fetcher,         // {p}/{bid}/{basename}, as the existing fetcher
  fetcher_legacy,  // {p}/bundles/{bid}/resources_{basename}
  manifest,        // {p}/data/year=2025/month=09/day=06/22-00-20-{last 8 of the bid}/content/{name}
};
std::string_view to_string(KeyLayout layout);
KeyLayout parse_layout(std::string_view name);  // "fetcher-legacy"; throws Error(refused)

// All keys of one bundle.
struct BundleKeys {
  std::string root{};       // all of the bundle's own documents begin so; ends in "/"
  std::string content{};    // BundleRef::storage_key
  std::string separator{};  // between content and a name
  std::string marker{}, manifest{}, claim{};
  std::string sidecars{};    // "": resources have none
  std::string discovered{};  // "": there is none

  std::string resource(std::string_view name) const;
};

// doc and manifest have single slashes and none in front; the fetcher's keys are joined as they are given.
// `now` is what a BID that holds no time is filed under.
BundleKeys keys_of(KeyLayout layout, std::string_view prefix, std::string_view bid, WallTime now);
// The same for who has found its root by bundle_of().
BundleKeys keys_under(KeyLayout layout, std::string_view prefix, const std::string& root);

// Names come from a URL's basename alone.
inline bool by_basename(KeyLayout layout) {
  return layout == KeyLayout::fetcher || layout == KeyLayout::fetcher_legacy;
}

// Objects about bundles rather than of one: `{p}/_pending/`, `{p}/_uploads/`.
std::string beside(KeyLayout layout, std::string_view prefix, std::string_view folder);

// What all bundles' keys begin with, and to which bundle a key belongs, for who looks for forgotten ones.
std::string bundles_prefix(KeyLayout layout, std::string_view prefix);
struct OwnedKey {
  std::string root{}, marker{}, claim{};
};
std::optional<OwnedKey> bundle_of(KeyLayout layout, std::string_view prefix, std::string_view key);

}  // namespace penstock::bundles
