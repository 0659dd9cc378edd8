#include "penstock/codecs/archive.h"

#include <cctype>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/utf8.h"

namespace penstock::codecs {
namespace {

bool has_part(std::string_view name, std::string_view wanted) {
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == wanted) return true;
    at = end + 1;
  }
  return false;
}

bool has_drive(std::string_view name) {
  return name.size() >= 2 && name[1] == ':' && std::isalpha(static_cast<unsigned char>(name[0]));
}

// Nothing of the name itself but its length: it may hold anything.
Error unsafe(std::string_view what) {
  return {Kind::refused,
          fmt::format("an entry of the archive has a name that {}", what),
          {.side = Side::source, .doing = "read an archive", .code = std::string{code::kUnsafeName}}};
}

}  // namespace

void check_entry_name(std::string_view name, const Limits& limits) {
  if (name.empty()) throw unsafe("is empty");
  if (name.size() > limits.name_bytes)
    throw Error{
        Kind::refused,
        fmt::format("an entry of the archive has a name of more than {} bytes", limits.name_bytes),
        {.side = Side::source, .doing = "read an archive", .code = std::string{penstock::code::kTooLarge}}};
  if (name.front() == '/') throw unsafe("is absolute");
  if (name.find('\0') != name.npos) throw unsafe("holds a NUL");
  if (name.find('\\') != name.npos) throw unsafe("holds a backslash");
  if (has_drive(name)) throw unsafe("names a drive");
  if (has_part(name, "..")) throw unsafe("leads out of its folder by \"..\"");
}

void check_file_name(std::string_view name) {
  if (name == "." || name.ends_with("/.")) throw unsafe("is that of a folder");
}

std::string utf8_or_latin1(std::string_view name) {
  if (is_utf8(name)) return std::string{name};
  std::string text;
  for (const char c : name) append_utf8(text, static_cast<unsigned char>(c));
  return text;
}

}  // namespace penstock::codecs
