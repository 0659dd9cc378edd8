#include "penstock/aws/dates.h"

#include <fmt/format.h>

#include "penstock/base/wall_time.h"

namespace penstock::aws {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Reads from the front of a text; `ok` turns false at the first thing that does not fit and stays so.
struct Reader {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (i >= rest.size() || rest[i] < '0' || rest[i] > '9') return ok = false, 0;
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void need(char c) { ok = take(c) && ok; }
};

void skip_fraction(Reader& in) {
  if (!in.take('.') && !in.take(',')) return;
  in.digits(1);
  while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9') in.rest.remove_prefix(1);
}

seconds zone_offset(Reader& in) {
  if (in.take('Z') || in.take('z')) return seconds{0};
  const int sign = in.take('-') ? -1 : 1;
  if (sign == 1) in.need('+');
  const int h = in.digits(2);
  in.take(':');
  const int m = in.digits(2);
  in.ok = in.ok && h < 24 && m < 60;
  return sign * (hours{h} + minutes{m});
}

std::string written(WallTime time, const char* in_date, const char* in_time) {
  const auto at = std::chrono::floor<seconds>(time);
  const auto midnight = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day day{midnight};
  const std::chrono::hh_mm_ss clock{at - midnight};
  return fmt::format("{:04}{}{:02}{}{:02}T{:02}{}{:02}{}{:02}Z", int{day.year()}, in_date,
                     unsigned{day.month()}, in_date, unsigned{day.day()}, clock.hours().count(), in_time,
                     clock.minutes().count(), in_time, clock.seconds().count());
}

}  // namespace

std::string amz_date(WallTime time) {
  return written(time, "", "");
}

std::string iso8601(WallTime time) {
  return written(time, "-", ":");
}

std::optional<WallTime> parse_iso8601(std::string_view text) {
  Reader in{text};
  const int year = in.digits(4);
  const bool extended = in.take('-');
  const int month = in.digits(2);
  if (extended) in.need('-');
  const int day = in.digits(2);
  if (!in.take('T') && !in.take('t')) in.need(' ');
  const int hour = in.digits(2);
  if (extended) in.need(':');
  const int minute = in.digits(2);
  if (extended) in.need(':');
  const int second = in.digits(2);
  skip_fraction(in);
  const auto offset = zone_offset(in);
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!in.ok || !in.rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  return wall_time(std::chrono::sys_days{date}.time_since_epoch() + hours{hour} + minutes{minute} +
                   seconds{second} - offset);
}

}  // namespace penstock::aws
