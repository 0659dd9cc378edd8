// What a failed system call means for the caller: an errno becomes an Error with a kind.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/error.h"

namespace penstock::disk {

// The codes this room gives besides those in base/error.h.
namespace code {
inline constexpr std::string_view kNoSpace = "no_space";         // busy: make room, then the same call works
inline constexpr std::string_view kSymlink = "symlink";          // refused: a link where none may be
inline constexpr std::string_view kIsAFolder = "is_a_folder";    // refused or conflict
inline constexpr std::string_view kNotAFolder = "not_a_folder";  // refused or conflict
inline constexpr std::string_view kNotAFile = "not_a_file";      // refused: a socket, a FIFO, a device
inline constexpr std::string_view kExists = "exists";            // conflict
inline constexpr std::string_view kShrunk = "shrunk";            // corrupt: fewer bytes than fstat said
inline constexpr std::string_view kNoLocks = "no_locks";         // refused: flock does not work there
}  // namespace code

// errno             kind       why
// ENOENT            missing
// EACCES EPERM EROFS denied    rights, or a read-only mount
// EEXIST ENOTEMPTY  conflict   someone else was first
// ENOSPC EDQUOT     busy       nothing is wrong with the call: it works once there is room
// EMFILE ENFILE ENOMEM EAGAIN EBUSY ETXTBSY ENOLCK  busy
// EIO EUCLEAN       corrupt    after it the kernel may have dropped what was written
// ESTALE ETIMEDOUT ENODEV ENXIO ENOTCONN EHOSTDOWN  lost   a network mount or a device went away
// EFBIG E2BIG       refused, too_large
// ELOOP ENOTDIR EISDIR ENAMETOOLONG EINVAL EXDEV and the rest  refused
// The message names the step, the path and the system's own words. Facts::code is ours where there is one,
// else the errno's name ("EIO").
Error system_error(int number, std::string_view doing, std::string_view path, Side side = Side::none);

// Throws system_error(errno, ...).
[[noreturn]] void throw_errno(std::string_view doing, std::string_view path, Side side = Side::none);

}  // namespace penstock::disk
