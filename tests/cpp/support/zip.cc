#include "support/zip.h"

#include <stdexcept>

#include <zlib.h>

namespace penstock::test {
namespace {

constexpr std::uint16_t kSizesFollow = 8;
constexpr std::uint64_t kWide = 0xffffffff;

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

struct Packed {
  std::string bytes;
  std::uint32_t crc32;
  std::uint64_t length;
};

Packed packed(const ZipMember& member) {
  const auto crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(member.body.data()), static_cast<uInt>(member.body.size()));
  return {.bytes = member.deflated ? deflate(member.body) : member.body,
          .crc32 = member.crc32.value_or(static_cast<std::uint32_t>(crc)),
          .length = member.bytes.value_or(static_cast<std::uint32_t>(member.body.size()))};
}

std::uint16_t flags_of(const ZipMember& member) {
  return member.flags | (member.descriptor == Descriptor::none ? 0 : kSizesFollow);
}

std::string common(const ZipMember& member, std::uint64_t crc, std::uint64_t packed_bytes,
                   std::uint64_t bytes) {
  return le16(flags_of(member)) + le16(member.method.value_or(member.deflated ? 8 : 0)) + le16(0) +
         le16(0x21) + le32(crc) + le32(packed_bytes) + le32(bytes);
}

std::string local(const ZipMember& member, const Packed& body) {
  const bool follow = member.descriptor != Descriptor::none;
  std::string extra = member.extra,
              sizes = follow ? le64(0) + le64(0) : le64(body.length) + le64(body.bytes.size());
  if (member.wide) extra += le16(1) + le16(16) + sizes;
  const std::uint64_t said_packed = member.wide ? kWide : follow ? 0 : body.bytes.size();
  const std::uint64_t said = member.wide ? kWide : follow ? 0 : body.length;
  return "PK\3\4" + le16(20) + common(member, follow ? 0 : body.crc32, said_packed, said) +
         le16(member.name.size()) + le16(extra.size()) + member.name + extra;
}

std::string descriptor(const ZipMember& member, const Packed& body) {
  const Descriptor form = member.descriptor;
  if (form == Descriptor::none) return {};
  const bool wide = form == Descriptor::wide || form == Descriptor::signed_wide;
  const bool is_signed = form == Descriptor::signed_ || form == Descriptor::signed_wide;
  const auto size = wide ? le64 : le32;
  return (is_signed ? "PK\7\10" : "") + le32(body.crc32) + size(body.bytes.size()) + size(body.length);
}

std::string listing(const ZipMember& member, const Packed& body, std::uint64_t offset) {
  const std::string& name = member.listed_as.empty() ? member.name : member.listed_as;
  return "PK\1\2" + le16(3 << 8 | 20) + le16(20) +
         common(member, body.crc32, body.bytes.size(), body.length) + le16(name.size()) + le16(0) + le16(0) +
         le16(0) + le16(0) + le32(member.attributes) + le32(offset) + name;
}

std::size_t number(const std::string& text, std::size_t at, int bytes) {
  std::size_t value = 0;
  while (bytes-- > 0)
    value = value << 8 | static_cast<unsigned char>(text.at(at + static_cast<std::size_t>(bytes)));
  return value;
}

}  // namespace

std::string inflate_prefix(const std::string& archive, std::size_t& at) {
  z_stream zlib{};
  if (inflateInit2(&zlib, -MAX_WBITS) != Z_OK) throw std::bad_alloc{};
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(archive.data() + at));
  zlib.avail_in = static_cast<uInt>(archive.size() - at);
  std::string all, some(4096, '\0');
  for (int said = Z_OK; said == Z_OK;) {
    zlib.next_out = reinterpret_cast<Bytef*>(some.data());
    zlib.avail_out = static_cast<uInt>(some.size());
    said = ::inflate(&zlib, Z_NO_FLUSH);
    all.append(some, 0, some.size() - zlib.avail_out);
  }
  at += zlib.total_in;
  inflateEnd(&zlib);
  return all;
}

std::string unzip_prefix(const std::string& archive) {
  std::string all;
  for (std::size_t at = 0; at + 30 <= archive.size() && archive.compare(at, 4, "PK\3\4") == 0;) {
    const bool deflated = number(archive, at + 8, 2) == 8, follow = number(archive, at + 6, 2) & kSizesFollow;
    const std::size_t packed_bytes = number(archive, at + 18, 4);
    at += 30 + number(archive, at + 26, 2) + number(archive, at + 28, 2);
    if (at > archive.size()) break;
    if (deflated) {
      all += inflate_prefix(archive, at);
    } else {
      all += archive.substr(at, packed_bytes);
      at += packed_bytes;
    }
    at += follow ? 16 : 0;
  }
  return all;
}

std::string le16(std::uint64_t value) {
  return little(value, 2);
}

std::string le32(std::uint64_t value) {
  return little(value, 4);
}

std::string le64(std::uint64_t value) {
  return little(value, 8);
}

std::string deflate(const std::string& text) {
  z_stream zlib{};
  if (deflateInit2(&zlib, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc{};
  std::string out(deflateBound(&zlib, text.size()), '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  const int said = ::deflate(&zlib, Z_FINISH);
  out.resize(zlib.total_out);
  deflateEnd(&zlib);
  if (said != Z_STREAM_END) throw std::runtime_error{"deflate"};
  return out;
}

std::string zip(const std::vector<ZipMember>& members, const std::string& comment, bool wide_end) {
  std::string all, directory;
  std::uint64_t entries = 0;
  for (const ZipMember& member : members) {
    const Packed body = packed(member);
    for (int i = 0; i < member.listed; ++i, ++entries) directory += listing(member, body, all.size());
    all += local(member, body) + body.bytes + descriptor(member, body);
  }
  const std::uint64_t offset = all.size(), end = offset + directory.size();
  all += directory;
  if (wide_end) {
    all += "PK\6\6" + le64(44) + le16(45) + le16(45) + le32(0) + le32(0) + le64(entries) + le64(entries) +
           le64(directory.size()) + le64(offset) + "PK\6\7" + le32(0) + le64(end) + le32(1);
  }
  return all + "PK\5\6" + le16(0) + le16(0) + le16(wide_end ? 0xffff : entries) +
         le16(wide_end ? 0xffff : entries) + le32(wide_end ? kWide : directory.size()) +
         le32(wide_end ? kWide : offset) + le16(comment.size()) + comment;
}

}  // namespace penstock::test
