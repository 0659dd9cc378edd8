#include "penstock/base/uuid.h"

#include <openssl/rand.h>

#include "penstock/base/error.h"

namespace penstock {

std::string random_uuid() {
  unsigned char raw[16];
  if (RAND_bytes(raw, sizeof raw) != 1) throw Error{Kind::lost, "the system gave no random bytes"};
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0F) | 0x40);
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3F) | 0x80);
  constexpr char kHex[] = "0123456789abcdef";
  std::string uuid;
  for (std::size_t i = 0; i < sizeof raw; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += kHex[raw[i] >> 4];
    uuid += kHex[raw[i] & 15];
  }
  return uuid;
}

}  // namespace penstock
