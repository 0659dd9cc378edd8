// flock(2) on an open file or folder, given back when it dies.
//
// Threads:  two locks on descriptors opened apart exclude each other, also within one process. Locks of one
//           process die with it, so none is ever left behind.
// Failure:  waits in base::wait under the Call; Error(refused, code no_locks) where the file system has none.
#pragma once

#include <optional>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/disk/descriptor.h"
#include "penstock/disk/folder.h"

namespace penstock::disk {

enum class Lock { shared, exclusive };

class FileLock {
 public:
  // Locks the folder itself: no lock file that could be left, removed or mistaken for data.
  FileLock(const Folder& folder, Lock how, const Call& call = {});
  // Makes the file `name` if it is not there and locks that. It is never removed: removing lock files races.
  FileLock(const Folder& folder, std::string_view name, Lock how, const Call& call = {});
  // nullopt: held by someone else now.
  static std::optional<FileLock> try_lock(const Folder& folder, std::string_view name, Lock how);

  void unlock() noexcept;  // early; dying does the same

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}
  std::optional<Folder> folder_;
  Descriptor file_;
};

}  // namespace penstock::disk
