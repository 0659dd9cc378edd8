// A file being written under a hidden name, which becomes visible whole or not at all.
//
// Life:     write()*, then publish() or discard(). Dying unpublished discards. A process that is killed
//           leaves at most the hidden file, never a visible one.
// Threads:  one caller at a time, but for write_at().
// Memory:   none: bytes go straight to the system.
// Fork:     it stays its maker's: a child that lets go of it discards nothing, and cannot write or publish
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "penstock/base/bytes.h"
#include "penstock/disk/descriptor.h"
#include "penstock/disk/folder.h"
#include "penstock/disk/publish.h"

namespace penstock::disk {

class StagedFile {
 public:
  // Rights are 0666 less the umask. Error(refused) for a name that is not one plain component.
  StagedFile(const Folder& folder, std::string_view name);
  ~StagedFile() { discard(); }
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  void write(Bytes bytes);
  // Anywhere; from several threads at once. bytes() does not count these.
  void write_at(Bytes bytes, std::uint64_t offset) const;
  // fsync, `before_rename` (if given), rename, fsync of the folder. What `before_rename` throws leaves
  // nothing visible; what it returns is held until the rename is done, such as a lock.
  void publish(Existing existing, const std::function<std::shared_ptr<void>()>& before_rename = {});
  void discard() noexcept;

  int fd() const { return file_.get(); }  // for attributes and times; closed by publish and discard
  std::string path() const { return folder_.path_of(name_); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void refuse_in_child() const;

  const pid_t process_;
  Folder folder_;
  std::string name_, staged_;
  Descriptor file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace penstock::disk
