#include "penstock/bundles/owner.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "penstock/bundles/documents.h"

namespace penstock::bundles {
namespace {

std::string read_line(const std::string& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

std::string boot_id() {
  return read_line("/proc/sys/kernel/random/boot_id");
}

std::string pid_namespace() {
  std::array<char, 64> name{};
  const ssize_t size = ::readlink("/proc/self/ns/pid", name.data(), name.size());
  return size > 0 ? std::string(name.data(), static_cast<std::size_t>(size)) : std::string{};
}

std::string stat_of(std::string_view pid) {
  return read_line(fmt::format("/proc/{}/stat", pid));
}

// Field 22 of /proc/PID/stat, clock ticks since boot; nullopt for a zombie. The second field, in brackets,
// may hold anything.
std::optional<std::string> start_of(const std::string& line) {
  const auto bracket = line.rfind(')');
  if (bracket == line.npos) return std::nullopt;
  std::string_view rest = std::string_view{line}.substr(bracket + 2);
  if (rest.starts_with('Z')) return std::nullopt;
  for (int field = 3; field < 22; ++field) rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
  return std::string{rest.substr(0, rest.find(' '))};
}

bool is_no_process(std::string_view pid) {
  pid_t number = 0;
  const auto [end, error] = std::from_chars(pid.data(), pid.data() + pid.size(), number);
  return error == std::errc{} && ::kill(number, 0) != 0 && errno == ESRCH;
}

}  // namespace

std::string this_owner() {
  const std::string pid = std::to_string(::getpid());
  return fmt::format("{}/{}/{}/{}", boot_id(), pid_namespace(), pid, start_of(stat_of(pid)).value_or(""));
}

bool is_surely_dead(std::string_view owner) {
  const std::string here = fmt::format("{}/{}/", boot_id(), pid_namespace());
  if (here.size() < 4 || !owner.starts_with(here)) return false;
  owner.remove_prefix(here.size());
  const auto slash = owner.find('/');
  if (slash == owner.npos || slash == 0) return false;
  const std::string_view pid = owner.substr(0, slash), start = owner.substr(slash + 1);
  if (pid.find_first_not_of("0123456789") != pid.npos) return false;
  const std::string line = stat_of(pid);
  if (line.empty() || start.empty()) return is_no_process(pid);  // /proc may hide others' (hidepid)
  return start_of(line) != start;
}

bool is_given_up(std::string_view owner, std::string_view written, WallTime now,
                 std::chrono::milliseconds after) {
  if (is_surely_dead(owner)) return true;
  const auto at = parse_timestamp(written);
  return at && *at < now - after;  // not the sum: a time that is written may be the last there is
}

}  // namespace penstock::bundles
