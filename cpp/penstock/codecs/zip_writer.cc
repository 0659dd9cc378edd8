#include "penstock/codecs/zip_writer.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "penstock/base/error.h"
#include "penstock/base/utf8.h"
#include "penstock/codecs/archive.h"
#include "penstock/codecs/zip_format.h"
#include "penstock/streams/memory.h"

namespace penstock::codecs {
namespace {

constexpr std::size_t kDirectoryInMemory = 1 << 20, kCopyBytes = 256 * 1024;
constexpr std::uint16_t kPlainVersion = 20, kZip64Version = 45, kMadeBy = 3 << 8 | kZip64Version;  // Unix
constexpr std::uint32_t kAttributes = 0100644u << 16;  // a regular file

// A record, field by field.
class Record {
 public:
  template <class Number>
  Record& add(Number value) {
    for (std::size_t i = 0; i < sizeof value; ++i) text_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  Record& text(std::string_view text) {
    text_ += text;
    return *this;
  }
  Bytes bytes() const { return as_bytes(text_); }

 private:
  std::string text_;
};

struct DosTime {
  std::uint16_t time = 0, date = 1 << 5 | 1;  // 1980-01-01
};

// In UTC, as DOS can say it: from 1980 to 2107, in steps of two seconds.
DosTime dos_time(const std::optional<WallTime>& at) {
  namespace chrono = std::chrono;
  if (!at) return {};
  const auto day = chrono::floor<chrono::days>(*at);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss time{chrono::floor<chrono::seconds>(*at - day)};
  const int year = static_cast<int>(date.year());
  if (year < 1980 || year > 2107) return {};
  return {.time = static_cast<std::uint16_t>(time.hours().count() << 11 | time.minutes().count() << 5 |
                                             time.seconds().count() / 2),
          .date = static_cast<std::uint16_t>((year - 1980) << 9 | static_cast<unsigned>(date.month()) << 5 |
                                             static_cast<unsigned>(date.day()))};
}

// The exact second, where the time has one of 32 bits.
std::string unix_time(const std::optional<WallTime>& at) {
  if (!at) return {};
  const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(at->time_since_epoch()).count();
  if (seconds < INT32_MIN || seconds > INT32_MAX) return {};
  constexpr std::uint16_t kBytes = 5;
  constexpr std::uint8_t kModified = 1;
  Record field;
  field.add(zip::kUnixTime).add(kBytes).add(kModified).add(static_cast<std::uint32_t>(seconds));
  return std::string{as_text(field.bytes())};
}

std::string zip64_field(const std::vector<std::uint64_t>& values) {
  if (values.empty()) return {};
  Record field;
  field.add(zip::kZip64).add(static_cast<std::uint16_t>(values.size() * 8));
  for (const std::uint64_t value : values) field.add(value);
  return std::string{as_text(field.bytes())};
}

std::uint32_t narrow(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, zip::kWide));
}

std::uint16_t narrow16(std::uint64_t value) {
  return static_cast<std::uint16_t>(std::min<std::uint64_t>(value, zip::kWide16));
}

void check_name(const std::string& name) {
  try {
    check_entry_name(name, Limits{});
    check_file_name(name);
  } catch (Error& error) {
    error.facts().side = Side::sink;
    error.facts().doing = "write a zip";
    throw;
  }
  if (!name.ends_with('/') && is_utf8(name)) return;
  throw Error{Kind::refused,
              "a member of a zip is a file, and its name UTF-8",
              {.side = Side::sink, .doing = "write a zip", .code = std::string{code::kUnsafeName}}};
}

// The fields that both headers have, from the flags on.
void add_common(Record& record, const ZipWriter::Entry& entry, const ZipFacts& facts, bool sizes_follow) {
  const DosTime at = dos_time(entry.modified);
  record.add<std::uint16_t>(zip::kUtf8 | (sizes_follow ? zip::kSizesFollow : 0))
      .add(zip::kDeflated)
      .add(at.time)
      .add(at.date)
      .add(facts.crc32)
      .add(narrow(facts.packed_bytes))
      .add(narrow(facts.bytes));
}

Record local_header(const ZipWriter::Entry& entry, const ZipFacts& facts, bool sizes_follow) {
  const bool wide = facts.bytes >= zip::kWide || facts.packed_bytes >= zip::kWide;
  std::string extra;
  // A reader knows by this field that the sizes behind the member are of 64 bits.
  if (sizes_follow) extra = zip64_field({0, 0});
  if (wide && !sizes_follow) extra = zip64_field({facts.bytes, facts.packed_bytes});
  extra += unix_time(entry.modified);
  Record header;
  header.add(zip::kLocal);
  header.add(wide || sizes_follow ? kZip64Version : kPlainVersion);
  ZipFacts said = facts;
  if (wide || sizes_follow) said.packed_bytes = said.bytes = zip::kWide;
  add_common(header, entry, said, sizes_follow);
  header.add(narrow16(entry.name.size())).add(narrow16(extra.size())).text(entry.name).text(extra);
  return header;
}

}  // namespace

ZipWriter::ZipWriter(Sink& to) : ZipWriter(to, Options{}) {}

ZipWriter::ZipWriter(Sink& to, Options options) : to_(to), options_(std::move(options)) {
  Deflater::check_level(options_.level);
}

ZipWriter::~ZipWriter() {
  abort("the zip was dropped unfinished");
}

// What fails in here has left bytes behind that are no member.
template <class Step>
auto ZipWriter::unless_it_fails(Step step) {
  try {
    return step();
  } catch (const Error& error) {
    abort(error.message());
    throw;
  } catch (...) {
    abort("interrupted");
    throw;
  }
}

void ZipWriter::require_open() const {
  if (state_ != State::open) throw std::logic_error{"this zip is finished or aborted"};
}

void ZipWriter::write(Bytes bytes) {
  to_.write(bytes);
  at_ += bytes.size();
}

void ZipWriter::write_from(Source& source) {
  at_ += to_.write_from(source);
}

ZipFacts ZipWriter::add(const Entry& entry, Source& content) {
  require_open();
  check_name(entry.name);
  ZipPacker packer{content, options_.level};
  std::vector<std::byte> packed(kCopyBytes);
  for (std::size_t filled = 0; filled < kWholeBytes;) {
    if (filled == packed.size()) packed.resize(std::min(packed.size() * 2, kWholeBytes));
    const std::size_t got = packer.read(std::span{packed}.subspan(filled));
    filled += got;
    if (got > 0) continue;
    append(entry, packer.facts(), Bytes{packed}.first(filled));
    return packer.facts();
  }
  return append(entry, packed, packer);
}

void ZipWriter::append(const Entry& entry, const ZipFacts& facts, Bytes packed) {
  if (packed.size() != facts.packed_bytes)
    throw std::invalid_argument{"these are not the bytes of this member"};
  append_whole(entry, facts, [&] { write(packed); });
}

void ZipWriter::append(const Entry& entry, const ZipFacts& facts, Source& packed) {
  append_whole(entry, facts, [&] { write_from(packed); });
}

template <class Put>
void ZipWriter::append_whole(const Entry& entry, const ZipFacts& facts, Put put) {
  require_open();
  check_name(entry.name);
  unless_it_fails([&] {
    const std::uint64_t offset = at_;
    write(local_header(entry, facts, false).bytes());
    const std::uint64_t begin = at_;
    put();
    if (at_ - begin != facts.packed_bytes)
      throw std::invalid_argument{"these are not the bytes of this member"};
    list(entry, facts, offset, false);
  });
}

ZipFacts ZipWriter::append(const Entry& entry, Bytes begun, ZipPacker& rest) {
  MemorySource source{begun};
  return append(entry, source, rest);
}

ZipFacts ZipWriter::append(const Entry& entry, Source& begun, ZipPacker& rest) {
  require_open();
  check_name(entry.name);
  return unless_it_fails([&] {
    const std::uint64_t offset = at_;
    write(local_header(entry, {}, true).bytes());
    write_from(begun);
    write_from(rest);
    const ZipFacts facts = rest.facts();
    write(Record{}.add(zip::kDescriptor).add(facts.crc32).add(facts.packed_bytes).add(facts.bytes).bytes());
    list(entry, facts, offset, true);
    return facts;
  });
}

void ZipWriter::list(const Entry& entry, const ZipFacts& facts, std::uint64_t offset, bool sizes_follow) {
  std::vector<std::uint64_t> wide;
  for (const std::uint64_t value : {facts.bytes, facts.packed_bytes, offset})
    if (value >= zip::kWide) wide.push_back(value);
  const std::string extra = zip64_field(wide) + unix_time(entry.modified);
  Record record;
  record.add(zip::kDirectory);
  record.add(kMadeBy).add(wide.empty() && !sizes_follow ? kPlainVersion : kZip64Version);
  add_common(record, entry, facts, sizes_follow);
  record.add(narrow16(entry.name.size()))
      .add(narrow16(extra.size()))
      .add(std::uint16_t{0})  // comment
      .add(std::uint16_t{0})  // disk
      .add(std::uint16_t{0})  // internal attributes
      .add(kAttributes)
      .add(narrow(offset))
      .text(entry.name)
      .text(extra);
  directory_ += as_text(record.bytes());
  ++entries_;
  if (directory_.size() >= kDirectoryInMemory) spool_directory();
}

void ZipWriter::spool_directory() {
  if (!spooled_) spooled_.emplace(options_.spool_folder);
  spooled_->write(as_bytes(directory_));
  directory_.clear();
}

void ZipWriter::write_directory() {
  const std::uint64_t offset = at_;
  if (spooled_) {
    disk::SpoolSource source{*spooled_};
    write_from(source);
  }
  write(as_bytes(directory_));
  const std::uint64_t bytes = at_ - offset, end = at_;
  if (entries_ >= zip::kWide16 || bytes >= zip::kWide || offset >= zip::kWide) {
    write(Record{}
              .add(zip::kEnd64)
              .add(std::uint64_t{zip::kEnd64Bytes - 12})
              .add(kMadeBy)
              .add(kZip64Version)
              .add(std::uint32_t{0})
              .add(std::uint32_t{0})
              .add(entries_)
              .add(entries_)
              .add(bytes)
              .add(offset)
              .bytes());
    write(Record{}.add(zip::kEnd64Locator).add(std::uint32_t{0}).add(end).add(std::uint32_t{1}).bytes());
  }
  write(Record{}
            .add(zip::kEnd)
            .add(std::uint16_t{0})
            .add(std::uint16_t{0})
            .add(narrow16(entries_))
            .add(narrow16(entries_))
            .add(narrow(bytes))
            .add(narrow(offset))
            .add(std::uint16_t{0})
            .bytes());
}

Receipt ZipWriter::finish() {
  require_open();
  return unless_it_fails([&] {
    write_directory();
    Receipt receipt = to_.finish();
    state_ = State::finished;
    return receipt;
  });
}

void ZipWriter::abort(std::string_view why) noexcept {
  if (state_ != State::open) return;
  state_ = State::aborted;
  to_.abort(why);
}

}  // namespace penstock::codecs
