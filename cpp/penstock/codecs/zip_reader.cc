#include "penstock/codecs/zip_reader.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace penstock::codecs {
namespace {

Error too_large(std::string what) {
  return zip::refused("the zip has " + std::move(what) + ", over the limit", penstock::code::kTooLarge);
}

constexpr std::uint64_t kMaxLinkBytes = 4096;  // PATH_MAX

bool has_controls(Bytes bytes) {
  return std::ranges::any_of(bytes, [](std::byte b) { return b < std::byte{0x20}; });
}

}  // namespace

ZipReader::ZipReader(Source& source, Limits limits) : input_(source), limits_(limits) {}

const Entry* ZipReader::next() {
  if (failure_) throw Error{*failure_};
  try {
    return advance();
  } catch (const Error& error) {
    failure_ = error;
    throw;
  }
}

const Entry* ZipReader::advance() {
  if (ended_) return nullptr;
  skip_rest();
  switch (zip::signature(input_)) {
    case zip::kLocal:
      return begin();
    case zip::kDirectory:
    case zip::kEnd64:
    case zip::kEnd:
      read_directory();
      ended_ = true;
      return nullptr;
    default:
      throw zip::corrupt(entries_ == 0
                             ? "this is no zip: it begins with neither a member nor a directory"
                             : "what follows a member of the zip is neither another nor the directory");
  }
}

const Entry* ZipReader::begin() {
  if (++entries_ > limits_.entries) throw too_large(fmt::format("{} entries", entries_));
  const std::uint64_t offset = input_.taken();
  const Bytes whole = zip::record(input_, zip::kLocalBytes, zip::local_bytes);
  open_.emplace(Open{.header = zip::parse_local(whole), .offset = offset});
  input_.take(whole.size());
  const zip::Member& header = open_->header;
  entry_ = Entry{.name = header.name, .modified = header.modified};
  check_entry_name(entry_.name, limits_);
  if (entry_.name.ends_with('/')) {
    entry_.type = Entry::Type::folder;
    while (entry_.name.size() > 1 && entry_.name.ends_with('/')) entry_.name.pop_back();
  }
  if (entry_.type == Entry::Type::file) check_file_name(entry_.name);
  learn_size();
  inflater_.restart();
  return &entry_;
}

// What can be known of it before it is read.
void ZipReader::learn_size() {
  const zip::Member& header = open_->header;
  const bool stored = header.method == zip::kStored, folder = entry_.type == Entry::Type::folder;
  std::optional<std::uint64_t> bytes;
  if (!header.sizes_follow()) {
    open_->packed_bytes = header.packed_bytes;
    bytes = header.bytes;
  } else if (stored && (folder || header.packed_bytes > 0)) {  // some write them in both places
    bytes = open_->packed_bytes = header.packed_bytes;
  } else if (stored) {
    if (!spool_) {
      spool_ = std::make_unique<ZipSpool>(input_, limits_);
      input_ = spool_->input();
    }
    bytes = open_->packed_bytes = spool_->packed_bytes(open_->offset);
  }
  if (bytes) check_size(*bytes);
  if (!folder) entry_.bytes = bytes;
}

void ZipReader::check_size(std::uint64_t bytes) const {
  if (bytes > limits_.entry_bytes || bytes > limits_.total_bytes - total_bytes_)
    throw too_large("a member of " + format_bytes(bytes));
}

std::size_t ZipReader::read_content(MutableBytes buffer) {
  if (failure_) throw Error{*failure_};
  if (!open_) return 0;
  try {
    const bool stored = open_->header.method == zip::kStored;
    const std::size_t got = stored ? read_stored(buffer) : read_deflated(buffer);
    if (got == 0) {
      end_member();
      return 0;
    }
    open_->crc32.update(buffer.first(got));
    if (open_->bytes <= kMaxLinkBytes) open_->path_like &= !has_controls(buffer.first(got));
    open_->bytes += got;
    total_bytes_ += got;
    if (entry_.type == Entry::Type::folder) throw zip::corrupt("a folder of the zip has content");
    if (entry_.bytes && open_->bytes > *entry_.bytes)
      throw zip::corrupt("a member of the zip has another length than its header");
    if (open_->bytes > limits_.entry_bytes) throw too_large("a member of " + format_bytes(open_->bytes));
    check_inflated(limits_, input_.taken(), total_bytes_, "read a zip");
    return got;
  } catch (const Error& error) {
    failure_ = error;
    throw;
  }
}

std::size_t ZipReader::read_stored(MutableBytes buffer) {
  const Bytes in = packed_input();
  const std::size_t count = std::min(in.size(), buffer.size());
  std::copy_n(in.begin(), count, buffer.begin());
  input_.take(count);
  open_->packed += count;
  return count;
}

// What inflate still holds of bytes it took comes out before more are asked for.
std::size_t ZipReader::read_deflated(MutableBytes buffer) {
  while (!open_->ended) {
    const auto step = inflater_.run(packed_here(), buffer);
    input_.take(step.taken);
    open_->packed += step.taken;
    open_->ended = step.ended;
    if (step.made > 0) return step.made;
    if (!step.ended && packed_input().empty())
      throw zip::corrupt("a member of the zip ends inside its compressed data");
  }
  return 0;
}

// Empty if all of the member has been taken.
Bytes ZipReader::packed_input() {
  const Open& member = *open_;
  if (member.packed_bytes && member.packed == *member.packed_bytes) return {};
  if (!input_.have(1)) throw zip::truncated();
  return packed_here();
}

// As much of it as has come and is not taken.
Bytes ZipReader::packed_here() const {
  const Open& member = *open_;
  const Bytes in = input_.unread();
  return member.packed_bytes
             ? in.first(std::min<std::uint64_t>(in.size(), *member.packed_bytes - member.packed))
             : in;
}

void ZipReader::end_member() {
  zip::Member found = open_->header;
  found.crc32 = zip::crc32_of(open_->crc32);
  found.packed_bytes = open_->packed;
  found.bytes = open_->bytes;
  compare_header(found);
  if (found.sizes_follow()) take_descriptor(found);
  directory_.add(open_->offset, found, open_->path_like && found.bytes > 0 && found.bytes <= kMaxLinkBytes);
  open_.reset();
}

// With the sizes and the CRC before the member.
void ZipReader::compare_header(const zip::Member& found) const {
  const zip::Member& said = open_->header;
  const bool may_be_zero = said.sizes_follow();
  const auto differ = [may_be_zero](std::uint64_t a, std::uint64_t b) {
    return a != b && (a != 0 || !may_be_zero);
  };
  if (differ(said.crc32, found.crc32))
    throw zip::corrupt("a member of the zip has another CRC-32 than its header");
  if (differ(said.bytes, found.bytes) || differ(said.packed_bytes, found.packed_bytes))
    throw zip::corrupt("a member of the zip has another length than its header");
}

void ZipReader::take_descriptor(const zip::Member& found) {
  input_.have(zip::kMaxDescriptorBytes);
  const std::size_t bytes = zip::descriptor_bytes(input_.unread(), found);
  if (bytes == 0 && !input_.have(zip::kMaxDescriptorBytes)) throw zip::truncated();
  if (bytes == 0)
    throw zip::corrupt("a member of the zip has another length or CRC-32 than is said behind it");
  input_.take(bytes);
}

void ZipReader::skip_rest() {
  std::array<std::byte, 16 * 1024> away;
  while (open_) read_content(away);
}

void ZipReader::read_directory() {
  const std::uint64_t offset = input_.taken();
  bool locator_before = false;
  while (zip::signature(input_) == zip::kDirectory) {
    const Bytes whole = zip::record(input_, zip::kDirectoryBytes, zip::directory_bytes);
    directory_.compare(zip::parse_directory(whole));
    locator_before = zip::le32(whole.last(zip::kEnd64LocatorBytes), 0) == zip::kEnd64Locator;
    input_.take(whole.size());
  }
  directory_.finish();
  check_end(offset, locator_before);
}

// `locator_before`: what lies before the end record looks like a locator of the wide one, and readers that
// come from the end would follow it.
void ZipReader::check_end(std::uint64_t directory_offset, bool locator_before) {
  const std::uint64_t at = input_.taken(), directory_bytes = at - directory_offset;
  const auto check = [&](const zip::End& end, bool may_be_wide) {
    const auto same = [may_be_wide](std::uint64_t said, std::uint64_t is, std::uint64_t wide) {
      return said == is || (may_be_wide && said == wide);
    };
    if (!same(end.disk, 0, zip::kWide16) || !same(end.entries, directory_.members(), zip::kWide16) ||
        !same(end.directory_bytes, directory_bytes, zip::kWide) ||
        !same(end.directory_offset, directory_offset, zip::kWide))
      throw zip::corrupt("the zip's end record does not agree with its directory");
  };
  const bool wide = zip::signature(input_) == zip::kEnd64;
  if (wide) {
    check(zip::parse_end64(zip::record(input_, zip::kEnd64Bytes)), false);
    input_.take(zip::kEnd64Bytes);
    const Bytes locator = zip::record(input_, zip::kEnd64LocatorBytes);
    if (zip::le32(locator, 0) != zip::kEnd64Locator || zip::end64_at(locator) != at)
      throw zip::corrupt("the zip's end record is not where its locator says");
    input_.take(zip::kEnd64LocatorBytes);
  }
  if (!wide && locator_before) throw zip::corrupt("the zip's end record has a locator that is no record");
  if (zip::signature(input_) != zip::kEnd) throw zip::corrupt("no end record follows the zip's directory");
  const zip::End end = zip::parse_end(zip::record(input_, zip::kEndBytes));
  check(end, wide);
  input_.take(zip::kEndBytes);
  check_comment(end.comment_bytes);
  check_padding();
}

// Readers that come from the end would take an end record in it for the archive's.
void ZipReader::check_comment(std::size_t bytes) {
  const std::string_view comment = as_text(zip::record(input_, bytes));
  if (comment.find("PK\5\6") != comment.npos)
    throw zip::corrupt("the zip's comment holds another end record");
  input_.take(bytes);
}

void ZipReader::check_padding() {
  for (std::size_t padding = 0; input_.have(1); input_.take(input_.unread().size())) {
    padding += input_.unread().size();
    if (padding > zip::kMaxPaddingBytes || !all_zeros(input_.unread()))
      throw zip::corrupt("bytes follow the end of the zip", code::kTrailing);
  }
}

const std::vector<std::uint64_t>& ZipReader::special() const {
  if (!ended_) throw std::logic_error{"which entries are links is known at the end of the zip"};
  return directory_.special();
}

std::size_t ZipReader::Content::read(MutableBytes buffer) {
  return zip_.entry_.type == Entry::Type::folder ? 0 : zip_.read_content(buffer);
}

std::optional<std::uint64_t> ZipReader::Content::remaining() const {
  if (!zip_.open_) return 0;
  if (!zip_.entry_.bytes) return std::nullopt;
  return *zip_.entry_.bytes - std::min(*zip_.entry_.bytes, zip_.open_->bytes);
}

}  // namespace penstock::codecs
