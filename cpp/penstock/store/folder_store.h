// A folder as an ObjectStore: a key is a relative path, an object is a regular file.
//
// Threads:  shared freely; what it opens belongs to one thread at a time.
// Memory:   a writer and a reader hold none; a listing holds at most 65,536 names a level of folders.
// Keys:     as check_key, and besides: components of 1..255 bytes, none of them "." or "..", no leading,
//           trailing or double slash, none that begins with ".penstock-": Error(refused). No symbolic link is
//           followed below the root. A key that is a folder, or has a file where a folder must be, is absent
//           to readers and Error(conflict) to writers.
// Publish:  written hidden in the same folder, fsync, rename, fsync of the folder. create is a rename that
//           replaces nothing. if_match compares under an exclusive flock of the object's folder, which every
//           penstock writer takes at least shared: atomic among them, not against other programs; Error
//           (refused, code no_locks) where the file system has no locks.
// ETag:     inode, size and modification time: a rewritten file has another one even if the bytes are equal.
// Kept:     content headers, metadata, expected digests, in the extended attribute user.penstock, where the
//           file system has those; else they are lost. Not: storage class, encryption, tags, versions.
// Format:   docs/formats/folder.md.
#pragma once

#include <memory>
#include <string>

#include "penstock/disk/folder.h"
#include "penstock/store/object_store.h"

namespace penstock::store {

struct FolderOptions {
  bool make = true;  // make the root and its parents if missing; else Error(missing)
};

class FolderStore : public ObjectStore {
 public:
  explicit FolderStore(const std::string& path, FolderOptions options = {});

  std::optional<ObjectMeta> find(std::string_view key, const Call& call = {}) override;
  std::unique_ptr<ObjectSource> get(std::string_view key, const ReadOptions& options = {},
                                    const Call& call = {}) override;
  std::unique_ptr<Sink> open_writer(std::string_view key, const WriteOptions& options = {},
                                    const Call& call = {}) override;
  // Key, size, ETag and time of each; metadata only from find and get. Files whose names are no keys are
  // left out.
  std::unique_ptr<Listing> list(std::string_view prefix = {}, const ListOptions& options = {},
                                const Call& call = {}) override;
  // Folders that become empty stay.
  void remove(std::string_view key, const RemoveOptions& options = {}, const Call& call = {}) override;
  // A subfolder, made if missing.
  std::shared_ptr<ObjectStore> with_bucket(std::string_view bucket) override;
  std::string location(std::string_view key) const override;  // file:///path

  const std::string& path() const { return root_.path(); }

 private:
  explicit FolderStore(disk::Folder root) : root_(std::move(root)) {}
  disk::Folder root_;
};

}  // namespace penstock::store
