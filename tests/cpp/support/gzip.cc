#include "support/gzip.h"

#include <array>
#include <stdexcept>

#include <zlib.h>

namespace penstock::test {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;

Bytef* bytes_of(const std::string& text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

std::string gzip(const std::string& bytes) {
  z_stream zlib{};
  if (deflateInit2(&zlib, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::string packed(deflateBound(&zlib, bytes.size()) + 32, '\0');
  zlib.next_in = bytes_of(bytes);
  zlib.avail_in = static_cast<uInt>(bytes.size());
  zlib.next_out = bytes_of(packed);
  zlib.avail_out = static_cast<uInt>(packed.size());
  const int said = deflate(&zlib, Z_FINISH);
  packed.resize(packed.size() - zlib.avail_out);
  deflateEnd(&zlib);
  if (said != Z_STREAM_END) throw std::runtime_error("deflate");
  return packed;
}

std::string gunzip_prefix(const std::string& packed) {
  z_stream zlib{};
  if (inflateInit2(&zlib, kGzip) != Z_OK) throw std::runtime_error("inflateInit2");
  zlib.next_in = bytes_of(packed);
  zlib.avail_in = static_cast<uInt>(packed.size());
  std::string all;
  std::array<char, 4096> some;
  for (int said = Z_OK; said == Z_OK || (said == Z_STREAM_END && zlib.avail_in > 0);) {
    if (said == Z_STREAM_END) inflateReset(&zlib);
    zlib.next_out = reinterpret_cast<Bytef*>(some.data());
    zlib.avail_out = static_cast<uInt>(some.size());
    said = inflate(&zlib, Z_NO_FLUSH);
    all.append(some.data(), some.size() - zlib.avail_out);
  }
  inflateEnd(&zlib);
  return all;
}

}  // namespace penstock::test
