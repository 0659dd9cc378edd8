#include "penstock/codecs/tar_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/codecs/input.h"

namespace penstock::codecs {
namespace {

constexpr std::uint64_t kMaxTextBytes = 64 * 1024;  // of a long name or a pax header
constexpr int kMaxHeadersBefore = 16;               // an entry's own; more are no tar but a mill

using Block = std::array<std::byte, kTarBlockBytes>;

Error corrupt(std::string message, std::string_view code = {}) {
  return {Kind::corrupt,
          std::move(message),
          {.side = Side::source, .doing = "read a tar", .code = std::string{code}}};
}

Error refused(std::string message, std::string_view code) {
  return {Kind::refused,
          std::move(message),
          {.side = Side::source, .doing = "read a tar", .code = std::string{code}}};
}

Error truncated() {
  return corrupt("the tar ends before its end mark", code::kTruncated);
}

std::uint64_t padding_of(std::uint64_t bytes) {
  return (kTarBlockBytes - bytes % kTarBlockBytes) % kTarBlockBytes;
}

Entry::Type type_of(char type, std::string_view name) {
  switch (type) {
    case '\0':  // before POSIX a folder was a file whose name ends in "/"
      return name.ends_with('/') ? Entry::Type::folder : Entry::Type::file;
    case '0':
    case '7':  // "contiguous", which nobody tells apart
      return Entry::Type::file;
    case '1':
    case '2':
      return Entry::Type::link;
    case '5':
      return Entry::Type::folder;
    default:
      return Entry::Type::other;
  }
}

// Links, devices and folders have no content, whatever size they say; what is unknown has.
bool has_content(char type, Entry::Type as) {
  return as == Entry::Type::file || (as == Entry::Type::other && (type < '3' || type > '6'));
}

}  // namespace

TarReader::TarReader(Source& source, Limits limits) : source_(source), limits_(limits) {}

const Entry* TarReader::next() {
  if (failure_) throw Error{*failure_};
  try {
    return advance();
  } catch (const Error& error) {
    failure_ = error;
    throw;
  }
}

const Entry* TarReader::advance() {
  if (ended_) return nullptr;
  skip_rest();
  Block block;
  for (Before before{.pax = for_all_};;) {
    if (!read_block(block)) throw truncated();
    if (all_zeros(block)) {
      if (before.of_an_entry) throw corrupt("the tar ends after a header that belongs to an entry");
      check_end();
      ended_ = true;
      return nullptr;
    }
    const TarHeader header = TarHeader::parse(block);
    if (!note(header, before)) return begin(header, before);
    if (++before.headers > kMaxHeadersBefore) throw corrupt("an entry of the tar has too many headers");
  }
}

// Whether it is no entry, but says something of those to come.
bool TarReader::note(const TarHeader& header, Before& before) {
  switch (header.type) {
    case 'L':
      before.name = read_text(header.bytes);
      return before.of_an_entry = true;
    case 'K':
      before.link_to = read_text(header.bytes);
      return before.of_an_entry = true;
    case 'x':
    case 'X':  // Solaris
      before.pax.add(read_text(header.bytes));
      return before.of_an_entry = true;
    case 'g':
      for_all_.add(read_text(header.bytes));
      before.pax = for_all_;
      return true;
    default:
      return false;
  }
}

const Entry* TarReader::begin(const TarHeader& header, const Before& before) {
  if (++entries_ > limits_.entries)
    throw refused(fmt::format("the tar has more than {} entries", limits_.entries),
                  penstock::code::kTooLarge);
  if (header.type == 'S' || before.pax.sparse)
    throw refused("the tar holds a sparse file, which is not supported", code::kUnsupported);
  const std::string name = before.pax.path ? *before.pax.path : before.name.value_or(header.name);
  entry_ = Entry{.type = type_of(header.type, name), .modified = header.modified};
  if (before.pax.mtime) entry_.modified = before.pax.mtime;
  take_size(has_content(header.type, entry_.type) ? before.pax.size.value_or(header.bytes) : 0);
  entry_.name = utf8_or_latin1(name);
  if (entry_.type == Entry::Type::folder)
    while (entry_.name.size() > 1 && entry_.name.ends_with('/')) entry_.name.pop_back();
  check_entry_name(entry_.name, limits_);
  if (entry_.type == Entry::Type::file) check_file_name(entry_.name);
  if (entry_.type == Entry::Type::link)
    entry_.link_to =
        utf8_or_latin1(before.pax.linkpath ? *before.pax.linkpath : before.link_to.value_or(header.link_to));
  return &entry_;
}

// What is no file's is skipped with the rest of the entry.
void TarReader::take_size(std::uint64_t bytes) {
  if (bytes > limits_.entry_bytes || bytes > limits_.total_bytes - total_bytes_)
    throw refused(fmt::format("the tar's entry of {} is over the limit", format_bytes(bytes)),
                  penstock::code::kTooLarge);
  total_bytes_ += bytes;
  const bool file = entry_.type == Entry::Type::file;
  if (file) entry_.bytes = bytes;
  left_ = file ? bytes : 0;
  padding_ = padding_of(bytes) + (file ? 0 : bytes);
}

// False at the end; a part of a block is none.
bool TarReader::read_block(MutableBytes block) {
  const std::size_t got = read_full(source_, block);
  if (got != 0 && got != block.size()) throw truncated();
  return got != 0;
}

std::string TarReader::read_text(std::uint64_t bytes) {
  if (bytes > kMaxTextBytes)
    throw refused(fmt::format("the tar has a name or pax header of {}", format_bytes(bytes)),
                  penstock::code::kTooLarge);
  std::string text(bytes, '\0');
  if (read_full(source_, std::as_writable_bytes(std::span{text})) != bytes) throw truncated();
  drop(padding_of(bytes));
  if (const auto end = text.find_last_not_of('\0'); end != text.npos) text.resize(end + 1);
  return text;
}

void TarReader::skip_rest() {
  drop(std::exchange(left_, 0));
  drop(std::exchange(padding_, 0));
}

void TarReader::drop(std::uint64_t bytes) {
  std::array<std::byte, 16 * 1024> away;
  while (bytes > 0) {
    const std::size_t got =
        source_.read(MutableBytes{away}.first(std::min<std::uint64_t>(bytes, away.size())));
    if (got == 0) throw truncated();
    bytes -= got;
  }
}

void TarReader::check_end() {
  Block block;
  while (const std::size_t got = source_.read(block)) {
    if (!all_zeros(Bytes{block}.first(got)))
      throw corrupt("bytes follow the end of the tar", code::kTrailing);
  }
}

std::size_t TarReader::Content::read(MutableBytes buffer) {
  if (tar_.left_ == 0) return 0;
  const std::size_t got = tar_.source_.read(buffer.first(std::min<std::uint64_t>(buffer.size(), tar_.left_)));
  if (got == 0) throw truncated();
  tar_.left_ -= got;
  return got;
}

}  // namespace penstock::codecs
