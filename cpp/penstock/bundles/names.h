// What a resource is called in a folder, a bucket or a zip: by its URL, unlike all others of its bundle.
//
// Source: docs/formats/bundles.md, "Names".
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace penstock::bundles {

inline constexpr std::size_t kMaxNameBytes = 200;

// As written: without scheme, authority, query and fragment; all of a text that is no URL.
std::string_view url_path(std::string_view url);

// The path with all but letters, digits, "_", "-" and "." replaced; "index.html" for none; never a name that
// means something to a file system, ends in ".meta", or with ".meta" behind it would name a document of a
// bundle.
std::string resource_name(std::string_view url);

// The path's last part, as the existing fetcher names objects; 8 hex digits of the URL's SHA-256 for a path
// that ends in "/", "" for no path at all.
std::string resource_basename(std::string_view url);

// A BID or recipe id as one part of a path or key: bytes outside [A-Za-z0-9._-] as %XX, so "." and ".." as a
// whole; "" is "%"; over 180 bytes the first 140, "~" and 16 hex digits of its SHA-256.
std::string safe_part(std::string_view id);

// The first `digits` (at most 64) of the SHA-256 of `text`, lower case.
std::string sha256_hex(std::string_view text, std::size_t digits = 64);

// The names of one bundle.
//
// Threads: shared freely.
// Memory:  11 to 22 bytes a name, for a moment half as much again; some 40 more for a URL that comes again.
//          Of names only 64-bit hashes are kept: two of one hash cost the later a suffix.
class NameBook {
 public:
  // `name` if nobody has it; else with "~" and 8 hex digits of the URL's SHA-256 before its extension, then
  // "-2", "-3", .. Cut to `max_bytes`, which is at least kMaxNameBytes. The same calls in the same order give
  // the same names.
  std::string take(std::string_view name, std::string_view url, std::size_t max_bytes = kMaxNameBytes);
  // Of an add that failed: it may be taken again.
  void give_back(std::string_view name);
  // No more names are wanted: their memory is free for what follows.
  void clear();

 private:
  bool insert(std::uint64_t hash);
  void erase(std::uint64_t hash);
  void grow();
  std::size_t home(std::uint64_t hash) const { return hash & (slots_.size() - 1); }

  std::mutex mutex_;
  static constexpr std::size_t kSlots = 64;
  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(kSlots);  // 0: free; a power of two of them
  std::size_t used_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> repeats_;  // of a URL's suffix: the last number given
};

}  // namespace penstock::bundles
