// A file made in a folder that is itself not visible yet: it must not exist before, and is not there after a
// failure. Its bytes are durable only once the folder is synced (publish.h).
//
// Life:     write()*, then keep(). Dying before removes the file.
// Threads:  one caller at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/disk/descriptor.h"
#include "penstock/disk/folder.h"
#include "penstock/streams/source.h"

namespace penstock::disk {

class NewFile {
 public:
  // Error(conflict) if the name is taken.
  NewFile(const Folder& folder, std::string_view name);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(Bytes bytes);
  void write_from(Source& source, const Call& call);  // through 256 KiB
  void keep();                                        // closes it

 private:
  Folder folder_;
  std::string name_;
  Descriptor file_;
};

// The same for a small text.
void write_new_file(const Folder& folder, std::string_view name, std::string_view text);

}  // namespace penstock::disk
