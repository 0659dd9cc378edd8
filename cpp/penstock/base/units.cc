#include "penstock/base/units.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock {
namespace {

struct Unit {
  std::string_view name;  // lower case
  std::uint64_t size;
};

constexpr Unit kByteUnits[] = {
    {"", 1},        {"b", 1},          {"byte", 1},           {"bytes", 1},
    {"kib", 1_KiB}, {"mib", 1_MiB},    {"gib", 1_GiB},        {"tib", 1_TiB},
    {"kb", 1'000},  {"mb", 1'000'000}, {"gb", 1'000'000'000}, {"tb", 1'000'000'000'000},
};
constexpr Unit kSpanUnits[] = {{"", 1'000}, {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};

// Six digits behind the point: their product with the largest unit still fits 64 bits.
constexpr std::size_t kMaxFractionDigits = 6;

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const auto digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

std::optional<std::uint64_t> find_unit(std::string_view name, std::span<const Unit> units) {
  const auto found = std::find_if(units.begin(), units.end(),
                                  [wanted = lower(name)](const Unit& unit) { return unit.name == wanted; });
  if (found == units.end()) return std::nullopt;
  return found->size;
}

std::optional<std::uint64_t> to_number(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value;
}

// whole.fraction * unit, rounded down; nullopt when it does not fit.
std::optional<std::uint64_t> scale(std::string_view whole, std::string_view fraction, std::uint64_t unit) {
  std::uint64_t tenth_power = 1;
  for (std::size_t i = 0; i < fraction.size(); ++i) tenth_power *= 10;
  auto value = to_number(whole);
  if (!value || __builtin_mul_overflow(*value, unit, &*value)) return std::nullopt;
  const std::uint64_t rest = *to_number(fraction) * unit / tenth_power;
  if (__builtin_add_overflow(*value, rest, &*value)) return std::nullopt;
  return value;
}

// "<digits>[.<digits>] <unit>" in the smallest of `units`; nullopt when the text is anything else.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  text = trim(text);
  const auto whole = take_digits(text);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.empty() || fraction.size() > kMaxFractionDigits) return std::nullopt;
  }
  const auto unit = find_unit(trim(text), units);
  const bool part_of_the_smallest = unit == 1 && !fraction.empty();
  if (whole.empty() || !unit || part_of_the_smallest) return std::nullopt;
  return scale(whole, fraction, *unit);
}

Error refused(std::string_view text, std::string_view what, std::string_view examples) {
  return {Kind::refused,
          fmt::format("\"{}\" is not {}: write for example {}", redact_text(text, 64), what, examples),
          {.doing = fmt::format("read {}", what)}};
}

}  // namespace

std::uint64_t parse_bytes(std::string_view text) {
  const auto bytes = parse_quantity(text, kByteUnits);
  if (!bytes) throw refused(text, "a size", "4096, 64KiB, 1.5GiB or 10MB");
  return *bytes;
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes == 1) return "1 byte";
  if (bytes < 1'000) return fmt::format("{} bytes", bytes);
  constexpr std::array kNames = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  double value = static_cast<double>(bytes) / 1024;
  // From 999.5 on, three digits would round to a fourth.
  for (; value >= 999.5; ++unit) value /= 1024;
  return fmt::format("{:.3g} {}", value, kNames[unit]);
}

std::chrono::milliseconds parse_span(std::string_view text) {
  const auto span = parse_quantity(text, kSpanUnits);
  // Room above for adding it to a clock in nanoseconds.
  constexpr std::uint64_t kCentury = 100ULL * 365 * 24 * 3'600'000;
  if (!span || *span > kCentury) throw refused(text, "a span of time", "30s, 250ms, 5m, 1h or 1.5 (seconds)");
  return std::chrono::milliseconds{*span};
}

}  // namespace penstock
