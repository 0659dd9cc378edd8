// The keys below a folder, in ascending order of their bytes, a folder at a time.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "penstock/base/call.h"
#include "penstock/disk/folder.h"
#include "penstock/store/object_store.h"

namespace penstock::store {

// Memory: one open folder a level, and at most `batch` names each: a folder with more is read again for each
// further batch, so a million names cost 16 reads of the folder, not a million names in memory.
class FolderListing : public Listing {
 public:
  static constexpr std::size_t kBatch = 65'536;
  FolderListing(const disk::Folder& root, std::string prefix, std::string start_after, Call call,
                std::size_t batch = kBatch);
  std::optional<ObjectMeta> next() override;

 private:
  // A folder on the way down. Names of folders carry their '/', because that is how keys below them sort:
  // "a-b" < "a/x" although "a" < "a-b".
  struct Level {
    disk::Folder folder;
    std::string path;             // "" or "a/b/": what its names are appended to
    std::set<std::string> names;  // the next ones, in order
    std::string done;             // the last name taken from a full batch; "" at first
    bool complete = false;        // nothing after `names`
  };

  void fill(Level& level);
  bool wanted(const std::string& key, disk::Entry::Type type) const;
  void enter(const std::string& name);
  std::optional<ObjectMeta> meta_of(const Level& level, const std::string& name) const;

  std::string prefix_, start_after_;
  Call call_;
  std::size_t batch_;
  std::vector<Level> levels_;
};

}  // namespace penstock::store
