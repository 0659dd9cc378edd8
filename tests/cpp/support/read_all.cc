#include "support/read_all.h"

#include <vector>

#include <gtest/gtest.h>

namespace penstock::test {

std::string read_all(Source& source, std::size_t buffer_bytes) {
  std::string all, buffer(buffer_bytes, '\0');
  const auto bytes = std::as_writable_bytes(std::span{buffer});
  while (const std::size_t got = source.read(bytes)) all.append(buffer, 0, got);
  EXPECT_EQ(source.read(bytes), 0U) << "an end is no longer one when asked again";
  return all;
}

}  // namespace penstock::test
