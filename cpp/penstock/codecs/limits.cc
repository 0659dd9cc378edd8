#include "penstock/codecs/limits.h"

#include <string>

#include <fmt/format.h>

#include "penstock/base/error.h"

namespace penstock::codecs {

void check_inflated(const Limits& limits, std::uint64_t bytes_in, std::uint64_t bytes_out,
                    std::string_view doing) {
  const auto refuse = [&](const std::string& what) {
    throw Error{Kind::refused,
                "the compressed data inflate to more than " + what,
                {.side = Side::source,
                 .doing = std::string{doing},
                 .code = std::string{code::kTooLarge},
                 .bytes_done = bytes_out}};
  };
  if (bytes_out > limits.total_bytes) refuse(format_bytes(limits.total_bytes));
  const bool judged = limits.ratio > 0 && bytes_out > limits.ratio_from;
  if (judged && bytes_out / limits.ratio > bytes_in) refuse(fmt::format("{} times their size", limits.ratio));
}

}  // namespace penstock::codecs
