#include "penstock/disk/file_lock.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "penstock/base/wait.h"
#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

using std::chrono::milliseconds;

Descriptor open_lock_file(const Folder& folder, std::string_view name) {
  check_relative(name);
  Descriptor file{
      ::openat(folder.fd(), std::string{name}.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!file) throw_errno("open lock file", folder.path_of(name));
  return file;
}

// EBADF: NFS turns flock into a record lock, which needs a descriptor open for writing.
bool has_no_locks(int number) {
  return number == EBADF || number == EINVAL || number == ENOLCK || number == EOPNOTSUPP || number == ENOSYS;
}

bool try_flock(int fd, Lock how, const std::string& path) {
  int operation = (how == Lock::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(fd, operation) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno == EINTR) continue;
    if (!has_no_locks(errno)) throw_errno("lock", path);
    throw Error{Kind::refused,
                fmt::format("cannot lock {}: its file system has no such locks", path),
                {.doing = "lock", .subject = path, .code = std::string{code::kNoLocks}}};
  }
  return true;
}

// Asks again and again, because flock's own waiting cannot be stopped: after 1, 2, 4 .. 50 ms.
void wait_for_flock(int fd, Lock how, const std::string& path, const Call& call) {
  for (milliseconds pause{1}; !try_flock(fd, how, path); pause = std::min(pause * 2, milliseconds{50})) {
    base::sleep(pause, call, "wait for a file lock");
  }
}

}  // namespace

FileLock::FileLock(const Folder& folder, Lock how, const Call& call) : folder_(folder.reopened()) {
  wait_for_flock(folder_->fd(), how, folder.path(), call);
}

FileLock::FileLock(const Folder& folder, std::string_view name, Lock how, const Call& call)
    : file_(open_lock_file(folder, name)) {
  wait_for_flock(file_.get(), how, folder.path_of(name), call);
}

std::optional<FileLock> FileLock::try_lock(const Folder& folder, std::string_view name, Lock how) {
  Descriptor file = open_lock_file(folder, name);
  if (!try_flock(file.get(), how, folder.path_of(name))) return std::nullopt;
  return FileLock{std::move(file)};
}

void FileLock::unlock() noexcept {
  folder_.reset();
  file_.close();
}

}  // namespace penstock::disk
