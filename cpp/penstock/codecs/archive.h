// An archive, read once from front to back: entry by entry, and the bytes of each.
//
// Life:    next(), then as much of content() as is wanted, then next() again. The end is an end only if the
//          archive says so: what is cut short is an Error.
// Threads: one caller at a time.
// Failure: Error(corrupt) for what contradicts itself or is truncated; Error(refused) for what is not
// supported,
//          for a name that would lead out of a folder (code unsafe_name), and beyond the limits (code
//          too_large). After an Error next() throws it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/codecs/codes.h"
#include "penstock/codecs/limits.h"
#include "penstock/streams/source.h"

namespace penstock::codecs {

struct Entry {
  enum class Type { file, folder, link, other };  // other: a device, a pipe

  std::string name{};  // UTF-8, parts separated by "/", safe to join to a folder
  Type type = Type::file;
  std::optional<std::uint64_t> bytes{};  // of its content, if the archive says so beforehand
  std::optional<WallTime> modified{};
  std::string link_to{};  // of a link, as written: trust it with nothing
};

class Archive {
 public:
  virtual ~Archive() = default;
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // The next entry, or null at the end. Valid until the next call.
  virtual const Entry* next() = 0;

  // Of the entry that next() gave, and until it is called again. Ends at the entry's end, having compared
  // what there is to compare. Empty for what is no file.
  virtual Source& content() = 0;

 protected:
  Archive() = default;
};

// Throws Error(refused) for a name that is empty, absolute, has a part "..", a NUL, a backslash or a drive,
// or is longer than `limits` allows.
void check_entry_name(std::string_view name, const Limits& limits);

// Throws Error(refused) for a name that only a folder can have: its last part is ".".
void check_file_name(std::string_view name);

// As it is if it is UTF-8, else read as Latin-1, so that it is text; two names may become one.
std::string utf8_or_latin1(std::string_view name);

}  // namespace penstock::codecs
