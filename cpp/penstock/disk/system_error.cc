#include "penstock/disk/system_error.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fmt/format.h>

namespace penstock::disk {
namespace {

struct Meaning {
  Kind kind;
  std::string_view code;    // "": the errno's name
  std::string_view advice;  // appended to the message
};

Meaning meaning_of(int number) {
  switch (number) {
    case ENOENT:
      return {Kind::missing, {}, {}};
    case EACCES:
    case EPERM:
      return {Kind::denied, {}, "check its owner and rights"};
    case EROFS:
      return {Kind::denied, {}, "the file system is mounted read-only"};
    case EEXIST:
    case ENOTEMPTY:
      return {Kind::conflict, code::kExists, {}};
    case ENOSPC:
    case EDQUOT:
      return {Kind::busy, code::kNoSpace, "make room and try again"};
    case EMFILE:
    case ENFILE:
      return {Kind::busy, {}, "raise the limit on open files (ulimit -n) or run fewer transfers at once"};
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case ETXTBSY:
    case ENOLCK:
      return {Kind::busy, {}, "try again"};
    case EIO:
    case EUCLEAN:
      return {Kind::corrupt, {}, "the device or file system failed; do not trust what was written"};
    case ESTALE:
    case ETIMEDOUT:
    case ENODEV:
    case ENXIO:
    case ENOTCONN:
    case EHOSTDOWN:
      return {Kind::lost, {}, "the mount or device went away"};
    case EFBIG:
    case E2BIG:
      return {Kind::refused, penstock::code::kTooLarge, {}};
    case ELOOP:
      return {Kind::refused, code::kSymlink, "symbolic links are not followed here"};
    case ENOTDIR:
      return {Kind::refused, code::kNotAFolder, {}};
    case EISDIR:
      return {Kind::refused, code::kIsAFolder, {}};
    default:
      return {Kind::refused, {}, {}};
  }
}

std::string name_of(int number) {
  const char* name = strerrorname_np(number);
  return name ? name : fmt::format("errno {}", number);
}

}  // namespace

Error system_error(int number, std::string_view doing, std::string_view path, Side side) {
  Meaning meaning = meaning_of(number);
  char buffer[128];
  std::string message =
      fmt::format("cannot {} {}: {}", doing, path, strerror_r(number, buffer, sizeof buffer));
  if (!meaning.advice.empty()) message += fmt::format("; {}", meaning.advice);
  Facts facts;
  facts.side = side;
  facts.doing = doing;
  facts.subject = path;
  facts.code = meaning.code.empty() ? name_of(number) : std::string{meaning.code};
  return Error{meaning.kind, std::move(message), std::move(facts)};
}

void throw_errno(std::string_view doing, std::string_view path, Side side) {
  throw system_error(errno, doing, path, side);
}

}  // namespace penstock::disk
