#include "penstock/http/http_date.h"

#include <array>

#include <fmt/format.h>

#include "penstock/base/wall_time.h"

namespace penstock::http {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads a fixed form from left to right; after the first mismatch it stays failed.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  Scanner& literal(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return fail();
    rest_.remove_prefix(wanted.size());
    return *this;
  }

  template <std::size_t n>
  Scanner& one_of(const std::array<std::string_view, n>& names, int& index) {
    for (index = 0; index < static_cast<int>(n); ++index)
      if (rest_.starts_with(names[static_cast<std::size_t>(index)]))
        return literal(names[static_cast<std::size_t>(index)]);
    return fail();
  }

  Scanner& digits(std::size_t count, int& value) {
    value = 0;
    if (rest_.size() < count) return fail();
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return *this;
  }

  // asctime's day: two places, the first a space below 10.
  Scanner& padded_day(int& value) {
    return rest_.starts_with(' ') ? literal(" ").digits(1, value) : digits(2, value);
  }

  bool done() const { return !failed_ && rest_.empty(); }

 private:
  Scanner& fail() {
    failed_ = true;
    rest_ = {};
    return *this;
  }
  std::string_view rest_;
  bool failed_ = false;
};

struct Fields {
  int weekday = 0, day = 0, month = 0, year = 0, hour = 0, minute = 0, second = 0;
};

Scanner& time_of_day(Scanner& scanner, Fields& f) {
  return scanner.digits(2, f.hour).literal(":").digits(2, f.minute).literal(":").digits(2, f.second);
}

bool scan_imf(std::string_view text, Fields& f) {
  Scanner s(text);
  s.one_of(kDays, f.weekday).literal(", ").digits(2, f.day).literal(" ").one_of(kMonths, f.month);
  s.literal(" ").digits(4, f.year).literal(" ");
  return time_of_day(s, f).literal(" GMT").done();
}

bool scan_rfc850(std::string_view text, Fields& f) {
  Scanner s(text);
  s.one_of(kLongDays, f.weekday).literal(", ").digits(2, f.day).literal("-").one_of(kMonths, f.month);
  s.literal("-").digits(2, f.year).literal(" ");
  f.year += f.year < 70 ? 2000 : 1900;
  return time_of_day(s, f).literal(" GMT").done();
}

bool scan_asctime(std::string_view text, Fields& f) {
  Scanner s(text);
  s.one_of(kDays, f.weekday)
      .literal(" ")
      .one_of(kMonths, f.month)
      .literal(" ")
      .padded_day(f.day)
      .literal(" ");
  return time_of_day(s, f).literal(" ").digits(4, f.year).done();
}

std::optional<WallTime> to_time(const Fields& f) {
  const year_month_day date{year{f.year}, month{static_cast<unsigned>(f.month + 1)},
                            day{static_cast<unsigned>(f.day)}};
  if (!date.ok() || f.hour > 23 || f.minute > 59 || f.second > 60) return std::nullopt;
  const seconds since = sys_days{date}.time_since_epoch() + std::chrono::hours{f.hour} +
                        std::chrono::minutes{f.minute} + seconds{f.second};
  return wall_time(since);
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  Fields fields;
  if (scan_imf(text, fields) || scan_rfc850(text, fields) || scan_asctime(text, fields))
    return to_time(fields);
  return std::nullopt;
}

std::string http_date(WallTime time) {
  const auto whole =
      std::chrono::floor<seconds>(time);  // in nanoseconds the first day's midnight would overflow
  const auto days = std::chrono::floor<std::chrono::days>(whole);
  const year_month_day date{days};
  const std::chrono::hh_mm_ss clock{whole - days};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[std::chrono::weekday{days}.c_encoding()], static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace penstock::http
