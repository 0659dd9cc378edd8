#include "support/zip_of_itself.h"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <zlib.h>

#include "support/zip.h"

// The deflate stream prints itself by two kinds of block: text, which a header of 5 bytes announces, and a
// repeat of the last n bytes. Each repeat prints the bytes of a text a second time: once as what the text
// says, once as the text's own bytes. All blocks end with a byte, and repeats that must be the same block
// repeat the same length.
namespace penstock::test {
namespace {

class Bits {
 public:
  Bits& low(unsigned value, int count) {
    for (int i = 0; i < count; ++i, ++size_) {
      if (size_ % 8 == 0) bytes_ += '\0';
      bytes_.back() =
          static_cast<char>(static_cast<unsigned char>(bytes_.back()) | (value >> i & 1) << size_ % 8);
    }
    return *this;
  }
  Bits& code(unsigned value, int count) {  // Huffman codes come from the top
    while (count-- > 0) low(value >> count & 1, 1);
    return *this;
  }
  Bits& begin_block() { return low(0, 1).low(1, 2); }  // with the fixed codes
  Bits& end_block() { return code(0, 7); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  int size_ = 0;
};

std::string text(std::size_t bytes) {
  return '\0' + le16(bytes) + le16(~bytes & 0xffff);
}

// `empty` blocks, and a text of nothing, which ends with a byte whatever came before.
std::string ended(Bits bits, int empty, bool last = false) {
  for (; empty > 0; --empty) bits.begin_block().end_block();
  return bits.low(last ? 1 : 0, 1).low(0, 2).bytes() + text(0).substr(1);
}

// Of 26, 36 or 78 bytes: the first of the range, extra bits and code of a length, and of a distance.
std::string repeat(std::size_t bytes, int empty = 0, bool last = false) {
  struct Range {
    unsigned first;
    int extra;
    unsigned code;
  };
  const auto n = static_cast<unsigned>(bytes);
  const Range length = n == 26 ? Range{23, 2, 270} : n == 36 ? Range{35, 3, 273} : Range{67, 4, 277};
  const Range distance = n == 26 ? Range{25, 3, 9} : n == 36 ? Range{33, 4, 10} : Range{65, 5, 12};
  Bits bits;
  bits.begin_block().code(length.code - 256, 7).low(n - length.first, length.extra);
  bits.code(distance.code, 5).low(n - distance.first, distance.extra).end_block();
  return ended(bits, empty, last);
}

struct Parts {
  std::string before, deflated, after;
};

Parts parts_of(std::uint32_t crc, std::size_t packed_bytes, std::size_t bytes) {
  const std::string same =
      le16(0) + le16(8) + le16(0) + le16(0x21) + le32(crc) + le32(packed_bytes) + le32(bytes) + le16(1);
  const std::string head = "PK\3\4" + le16(20) + same + le16(0) + "a";
  const std::string tail = "PK\1\2" + le16(3 << 8 | 20) + le16(20) + same + std::string(8, '\0') +
                           le32(0100644u << 16) + le32(0) + "a" + "PK\5\6" + le32(0) + le16(1) + le16(1) +
                           le32(47) + le32(head.size() + packed_bytes) + le16(0);
  const std::string first = repeat(36, 2), again = repeat(26), end = repeat(78, 0, true);
  const std::string filling = ended({}, 2) + ended({}, 1), t5 = text(5), t11 = text(11), t26 = text(26);
  return {head,
          text(36) + head + text(36) + first              // what comes before, and its own header
              + t11 + first + t5 + t11                    //
              + t26 + first + t5 + t11 + t26 + again      //
              + t26 + again + t26 + again + t26 + again   //
              + t26 + again + filling + text(78) + again  //
              + filling + text(78) + end + tail + end,    // what comes after, and the last repeat
          tail};
}

std::string zip_of(std::uint32_t crc) {
  const Parts sizes = parts_of(0, 0, 0);
  const std::size_t packed = sizes.deflated.size();
  const Parts parts = parts_of(crc, packed, sizes.before.size() + packed + sizes.after.size());
  return parts.before + parts.deflated + parts.after;
}

std::uint32_t crc_of_zip_with(std::uint32_t crc) {
  const std::string zip = zip_of(crc);
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(zip.data()), static_cast<uInt>(zip.size())));
}

// The CRC that the zip has if it says so itself: each bit of it changes the sum in a way of its own, so it is
// found by elimination.
std::uint32_t own_crc() {
  struct Row {
    std::uint32_t change = 0, bits = 0;
  };
  std::array<Row, 32> by_top_bit{};
  const auto reduce = [&](Row row) {
    for (int top = 31; top >= 0; --top) {
      const Row& known = by_top_bit[static_cast<std::size_t>(top)];
      if (!(row.change >> top & 1)) continue;
      if (known.change == 0) return std::pair{row, top};
      row = {row.change ^ known.change, row.bits ^ known.bits};
    }
    return std::pair{row, -1};
  };
  const std::uint32_t zero = crc_of_zip_with(0);
  for (int bit = 0; bit < 32; ++bit) {
    const std::uint32_t one = std::uint32_t{1} << bit;
    const auto [row, top] = reduce({crc_of_zip_with(one) ^ zero ^ one, one});
    if (top >= 0) by_top_bit[static_cast<std::size_t>(top)] = row;
  }
  const auto [rest, top] = reduce({zero, 0});
  if (top >= 0) throw std::logic_error{"no CRC fits"};
  return rest.bits;
}

}  // namespace

std::string zip_of_itself() {
  return zip_of(own_crc());
}

}  // namespace penstock::test
