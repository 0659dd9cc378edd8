// What one process has under way in a folder of bundles: `.penstock/{16 hex digits}/`, held by a lock that
// the system takes back whatever ends the process. Internal to the room.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/disk/file_lock.h"
#include "penstock/disk/folder.h"

namespace penstock::bundles {

inline constexpr std::string_view kOwnFolder = ".penstock";

class Instance {
 public:
  // Makes and locks a new one below `root`.
  explicit Instance(const disk::Folder& root, const Call& call);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const disk::Folder& folder() const { return folder_; }
  bool is_of_this_process() const;  // a forked child inherits the lock, and must not use it

 private:
  disk::Folder own_;
  std::string name_;
  disk::Folder folder_;
  std::optional<disk::FileLock> lock_;
  int pid_;
};

// Calls `take` with each folder that a dead process, or a closed storage, left staged, and removes what
// `take` left of it. Only one process does so at a time, and none begins meanwhile.
void each_leftover(const disk::Folder& root,
                   const std::function<void(const disk::Folder& instance, const std::string& name)>& take,
                   const Call& call);

// Removes all below `name`, and it. Links are removed, not followed.
void remove_tree(const disk::Folder& folder, const std::string& name);

}  // namespace penstock::bundles
