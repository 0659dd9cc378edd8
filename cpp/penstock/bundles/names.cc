#include "penstock/bundles/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "penstock/base/utf8.h"
#include "penstock/bundles/letters.h"
#include "penstock/streams/hash.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kMaxExtensionBytes = 16, kMaxPartBytes = 180, kKeptPartBytes = 140;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

// "https" of "https://h/p" and "urn" of "urn:x"; "" where no scheme is.
std::string_view scheme_of(std::string_view url) {
  if (url.empty() || !std::isalpha(static_cast<unsigned char>(url.front()))) return {};
  const auto end = std::find_if_not(url.begin(), url.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
  });
  return end != url.end() && *end == ':' ? url.substr(0, static_cast<std::size_t>(end - url.begin()))
                                         : std::string_view{};
}

// Of a host in brackets only one of the two is there: that is no URL.
bool is_broken(std::string_view authority) {
  return (authority.find('[') == authority.npos) != (authority.find(']') == authority.npos);
}

bool is_device(std::string_view stem) {
  std::string lower{stem};
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 4> kDevices{"con", "prn", "aux", "nul"};
  if (std::find(kDevices.begin(), kDevices.end(), lower) != kDevices.end()) return true;
  return lower.size() == 4 && (lower.starts_with("com") || lower.starts_with("lpt")) && lower[3] >= '1' &&
         lower[3] <= '9';
}

// The last "." and what follows, if that is short and something stands before it.
std::size_t extension_at(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == name.npos || dot == 0 || name.size() - dot > kMaxExtensionBytes ? name.size() : dot;
}

// stem + mark + extension; a stem that is too long is cut and says so by 12 digits of the URL's digest.
std::string fitted(std::string_view name, std::string_view mark, std::string_view url,
                   std::size_t max_bytes = kMaxNameBytes) {
  const auto dot = extension_at(name);
  const std::string_view stem = name.substr(0, dot), extension = name.substr(dot);
  if (name.size() + mark.size() <= max_bytes) return fmt::format("{}{}{}", stem, mark, extension);
  const std::string cut = "~" + sha256_hex(url, 12);
  const auto room = max_bytes - cut.size() - mark.size() - extension.size();
  return fmt::format("{}{}{}{}", utf8_prefix(stem, room), cut, mark, extension);
}

// Not of a CRC: whoever chooses URLs must not be able to choose slots.
std::uint64_t hash_of(std::string_view text) {
  Hasher hasher{Algorithm::sha256};
  hasher.update(as_bytes(text));
  const Digest digest = hasher.digest();
  std::uint64_t hash = 0;
  for (const std::byte byte : digest.raw().first(sizeof hash))
    hash = hash << 8 | static_cast<std::uint64_t>(byte);
  return hash == 0 ? 1 : hash;
}

}  // namespace

std::string sha256_hex(std::string_view text, std::size_t digits) {
  Hasher hasher{Algorithm::sha256};
  hasher.update(as_bytes(text));
  return hasher.digest().hex().substr(0, digits);
}

std::string_view url_path(std::string_view url) {
  std::string_view rest = url;
  if (const auto scheme = scheme_of(rest); !scheme.empty()) rest.remove_prefix(scheme.size() + 1);
  if (rest.starts_with("//")) {
    const std::string_view authority = rest.substr(2, rest.find_first_of("/?#", 2) - 2);
    if (is_broken(authority)) return url;
    rest.remove_prefix(2 + authority.size());
  }
  return rest.substr(0, rest.find_first_of("?#"));
}

std::string resource_name(std::string_view url) {
  std::string_view path = url_path(url);
  if (path.starts_with('/')) path.remove_prefix(1);
  std::string name;
  while (!path.empty()) {
    const auto c = take_character(path);
    const bool kept = c && (*c == '_' || *c == '-' || *c == '.' || is_alphanumeric(*c));
    append_utf8(name, kept ? *c : U'_');
  }
  if (name.empty()) return "index.html";
  if (name == "." || name == "..") name.assign(name.size(), '_');
  // Its sidecar would have the name of what says that a bundle is whole, or of its manifest.
  if (name.ends_with(".meta") || name == "bundle" || name == "bundle.manifest") name += '_';
  if (is_device(std::string_view{name}.substr(0, name.find('.')))) name.insert(0, "_");
  return fitted(name, "", url);
}

std::string resource_basename(std::string_view url) {
  const std::string_view path = url_path(url);
  if (path.empty()) return {};
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.empty() ? sha256_hex(url, 8) : std::string{last};
}

std::string safe_part(std::string_view id) {
  if (id.empty()) return "%";
  std::string safe;
  const bool dots = id == "." || id == "..";
  for (const char c : id) {
    if (is_plain(c) && !dots) {
      safe += c;
    } else {
      safe += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (safe.size() <= kMaxPartBytes) return safe;
  return safe.substr(0, kKeptPartBytes) + "~" + sha256_hex(id, 16);
}

std::string NameBook::take(std::string_view name, std::string_view url, std::size_t max_bytes) {
  const std::lock_guard lock{mutex_};
  std::string taken = fitted(name, "", url, max_bytes);
  if (insert(hash_of(taken))) return taken;
  const std::string mark = "~" + sha256_hex(url, 8);
  const std::string second = fitted(name, mark, url, max_bytes);
  const std::uint64_t key = hash_of(second);
  for (;;) {
    const std::uint32_t number = ++repeats_[key];
    taken = number == 1 ? second : fitted(name, fmt::format("{}-{}", mark, number), url, max_bytes);
    if (insert(hash_of(taken))) return taken;
  }
}

void NameBook::give_back(std::string_view name) {
  const std::lock_guard lock{mutex_};
  erase(hash_of(name));
}

void NameBook::clear() {
  const std::lock_guard lock{mutex_};
  slots_ = std::vector<std::uint64_t>(kSlots);
  used_ = 0;
  repeats_.clear();
}

bool NameBook::insert(std::uint64_t hash) {
  if (4 * (used_ + 1) > 3 * slots_.size()) grow();
  std::size_t at = home(hash);
  for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at] == hash) return false;
  slots_[at] = hash;
  ++used_;
  return true;
}

// Linear probing without tombstones: what was pushed beyond the freed slot moves back.
void NameBook::erase(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home(hash);
  while (slots_[at] != hash) {
    if (slots_[at] == 0) return;
    at = (at + 1) & mask;
  }
  for (std::size_t next = (at + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t distance_home = (next - home(slots_[next])) & mask;
    if (distance_home < ((next - at) & mask)) continue;
    slots_[at] = slots_[next];
    at = next;
  }
  slots_[at] = 0;
  --used_;
}

void NameBook::grow() {
  std::vector<std::uint64_t> old(2 * slots_.size());
  old.swap(slots_);
  used_ = 0;
  for (const std::uint64_t hash : old)
    if (hash != 0) insert(hash);
}

}  // namespace penstock::bundles
