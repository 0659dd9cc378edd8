// The head of an answer, put together from the lines libcurl hands over.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "penstock/base/units.h"
#include "penstock/http/headers.h"

namespace penstock::http {

// Interim answers (1xx) are forgotten when the next status line comes; trailers are not headers and are
// dropped (RFC 9110 section 6.5.1), but count against the limit.
// Memory:  kMaxBytes over all lines of a try.
class Head {
 public:
  static constexpr std::size_t kMaxBytes = 64_KiB;
  enum class Line { more, complete, too_large };

  Line take(std::string_view line);
  bool complete() const { return complete_; }
  int status() const { return status_; }
  const Headers& headers() const { return headers_; }

 private:
  void status_line(std::string_view line);
  void field(std::string_view line);
  void keep();
  bool complete_ = false;
  int status_ = 0;
  std::size_t bytes_ = 0;
  Headers headers_;
  std::string name_, value_;  // of the field whose continuation may still come
};

}  // namespace penstock::http
