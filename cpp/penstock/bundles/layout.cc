#include "penstock/bundles/layout.h"

#include <array>
#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "penstock/bundles/bid.h"
#include "penstock/bundles/names.h"

namespace penstock::bundles {
namespace {

constexpr std::array<std::string_view, 4> kNames{"doc", "fetcher", "fetcher-legacy", "manifest"};

// Slashes at its ends dropped, several in a row made one; and one behind it unless it is empty.
std::string tidy(std::string_view prefix) {
  std::string tidied;
  for (const char c : prefix)
    if (c != '/' || (!tidied.empty() && tidied.back() != '/')) tidied += c;
  if (!tidied.empty() && tidied.back() != '/') tidied += '/';
  return tidied;
}

std::string joined(KeyLayout layout, std::string_view prefix) {
  return by_basename(layout) ? std::string{prefix} + "/" : tidy(prefix);
}

std::string dated_root(std::string_view prefix, std::string_view bid, WallTime now) {
  const auto made = Bid::is_valid(bid) ? Bid::parse(std::string{bid}).time() : std::nullopt;
  const WallTime at = made ? WallTime{*made} : now;
  const std::string last = made ? std::string{bid.substr(bid.size() - 8)} : sha256_hex(bid, 8);
  const std::tm utc = fmt::gmtime(std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(at)));
  return fmt::format("{}data/year={:%Y/month=%m/day=%d/%H-%M-%S}-{}/", tidy(prefix), utc, last);
}

BundleKeys manifest_keys(const std::string& root) {
  const std::string metadata = root + "metadata/";
  return {.root = root,
          .content = root + "content",
          .separator = "/",
          .marker = metadata + "_completed.json",
          .manifest = metadata + "_manifest.jsonl",
          .claim = metadata + "_claim",
          .sidecars = metadata,
          .discovered = metadata + "_discovered.json"};
}

}  // namespace

std::string_view to_string(KeyLayout layout) {
  return kNames[static_cast<std::size_t>(layout)];
}

KeyLayout parse_layout(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<KeyLayout>(i);
  throw Error{Kind::refused,
              fmt::format("there is no layout \"{}\": give one of {}", name, fmt::join(kNames, ", "))};
}

std::string BundleKeys::resource(std::string_view name) const {
  return name.empty() ? content : content + separator + std::string{name};
}

BundleKeys keys_of(KeyLayout layout, std::string_view prefix, std::string_view bid, WallTime now) {
  if (layout == KeyLayout::manifest) return manifest_keys(dated_root(prefix, bid, now));
  return keys_under(layout, prefix, bundles_prefix(layout, prefix) + safe_part(bid) + "/");
}

BundleKeys keys_under(KeyLayout layout, std::string_view prefix, const std::string& root) {
  if (layout == KeyLayout::manifest) return manifest_keys(root);
  BundleKeys keys{.root = root,
                  .content = root + "resources",
                  .separator = layout == KeyLayout::fetcher_legacy ? "_" : "/",
                  .marker = root + "metadata.json",
                  .manifest = root + "manifest.jsonl",
                  .claim = root + "_claim"};
  if (layout == KeyLayout::fetcher) {
    const std::size_t bid = bundles_prefix(layout, prefix).size();
    keys.content = joined(layout, prefix) + root.substr(bid, root.size() - bid - 1);
  }
  return keys;
}

std::string beside(KeyLayout layout, std::string_view prefix, std::string_view folder) {
  return joined(layout, prefix) + std::string{folder} + "/";
}

std::string bundles_prefix(KeyLayout layout, std::string_view prefix) {
  return joined(layout, prefix) + (layout == KeyLayout::manifest ? "data/" : "bundles/");
}

std::optional<OwnedKey> bundle_of(KeyLayout layout, std::string_view prefix, std::string_view key) {
  const std::string before = bundles_prefix(layout, prefix);
  if (!key.starts_with(before)) return std::nullopt;
  // {bid}/ ; or year=/month=/day=/time-last8/
  std::size_t end = before.size();
  for (int parts = layout == KeyLayout::manifest ? 4 : 1; parts > 0; --parts) {
    const auto slash = key.find('/', end);
    if (slash == key.npos) return std::nullopt;
    end = slash + 1;
  }
  const std::string root{key.substr(0, end)};
  const BundleKeys keys = keys_under(layout, prefix, root);
  return OwnedKey{root, keys.marker, keys.claim};
}

}  // namespace penstock::bundles
