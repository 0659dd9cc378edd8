// A regular file as a Source: all of it, or a part.
//
// Life:     the size is taken once, when it is opened. A file that then loses bytes is Error(corrupt, code
//           shrunk); one whose size or modification time differs at the end, or at a rewind, is
//           Error(conflict, code changed). A change that keeps both is not seen.
// Threads:  one caller at a time; sources over one descriptor do not disturb each other (pread).
// Memory:   none: reads go into the caller's buffer.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include <sys/stat.h>

#include "penstock/base/call.h"
#include "penstock/disk/descriptor.h"
#include "penstock/disk/folder.h"
#include "penstock/streams/source.h"

namespace penstock::disk {

class FileSource : public Source {
 public:
  static constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();

  // A trusted path: links in it are followed. Throws Error(missing), (denied), (refused: a folder, a device).
  explicit FileSource(const std::string& path, Call call = {});
  // A name in a folder: never through a link.
  FileSource(const Folder& folder, std::string_view name, Call call = {});
  // An open descriptor; `path` is for people.
  FileSource(Descriptor file, std::string path, Call call = {});

  // Reads only [offset, offset + bytes) from here on. Error(refused) past the end.
  void seek(std::uint64_t offset, std::uint64_t bytes = kToTheEnd);

  std::size_t read(MutableBytes buffer) override;
  std::optional<std::uint64_t> remaining() const override { return end_ - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override;

  std::uint64_t size() const { return static_cast<std::uint64_t>(opened_.st_size); }
  const struct stat& status() const { return opened_; }  // as it was opened
  int fd() const { return file_.get(); }
  const std::string& path() const { return path_; }

 private:
  void refuse_change() const;

  Descriptor file_;
  std::string path_;
  Call call_;
  struct stat opened_{};
  std::uint64_t at_ = 0, end_ = 0;
  std::uint64_t mark_ = kToTheEnd;
};

}  // namespace penstock::disk
