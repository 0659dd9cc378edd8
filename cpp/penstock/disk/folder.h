// A folder held open, and what is below it reached one component at a time, never through a symbolic link.
//
// Life:     a handle: copies share one descriptor. What it names stays reachable when the folder is moved.
// Threads:  shared freely; no call keeps state in the handle.
// Failure:  Error as disk/system_error.h sorts it. A link in place of a folder or file is Error(refused, code
//           symlink); a path that is not plain (empty, "/x", "a//b", ".", "..", NUL, a component over 255
//           bytes) is Error(refused).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include "penstock/disk/descriptor.h"

namespace penstock::disk {

// Throws Error(refused) unless `path` is plain: components of 1..255 bytes joined by single slashes, none of
// them "." or "..", no NUL.
void check_relative(std::string_view path);

class Folder {
 public:
  // `path` is trusted: links in it are followed, as the shell would.
  static Folder open(const std::string& path);
  // The same, making what is missing.
  static Folder make(const std::string& path);

  Folder folder(std::string_view relative) const;
  // nullopt where nothing is, or something that is no folder. A link is still refused.
  std::optional<Folder> find_folder(std::string_view relative) const;
  // Makes what is missing and fsyncs each folder that got a new entry. Error(conflict, code not_a_folder) if
  // a file is in the way.
  Folder make_folder(std::string_view relative) const;

  // A regular file for reading: anything else is Error(refused). Never blocks on a FIFO.
  Descriptor open_file(std::string_view name) const;
  // As lstat: never through a link. nullopt where nothing is.
  std::optional<struct stat> find(std::string_view name) const;
  void remove_file(std::string_view name) const;  // absent is success

  void sync() const;        // fsync: new, changed and removed names survive a power loss
  Folder reopened() const;  // the same folder under a descriptor of its own, for flock
  int fd() const { return fd_->get(); }
  const std::string& path() const { return path_; }  // for people and errors
  std::string path_of(std::string_view name) const { return path_ + "/" + std::string{name}; }

 private:
  Folder(Descriptor fd, std::string path)
      : fd_(std::make_shared<Descriptor>(std::move(fd))), path_(std::move(path)) {}
  std::optional<Folder> child(const std::string& name) const;
  Folder make_child(const std::string& name) const;

  std::shared_ptr<Descriptor> fd_;
  std::string path_;
};

struct Entry {
  enum class Type { file, folder, other };  // other: a link, a socket, a device
  std::string name;
  Type type;
};

// Calls `visit` with each entry but "." and "..", in no order, holding none of them.
void each_entry(const Folder& folder, const std::function<void(const Entry&)>& visit);

// "a/b/c" into "a/b" and "c"; no slash: "" and all of it.
struct SplitPath {
  std::string_view folder, name;
};
SplitPath split_path(std::string_view path);

}  // namespace penstock::disk
