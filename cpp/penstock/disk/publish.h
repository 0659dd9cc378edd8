// The only functions that make a name visible: what is staged beside it is renamed into place, whole.
//
// Failure: Error(conflict, code exists) when `create` finds the name taken; Error(in_doubt) when the name is
//          there but the fsync of its folder failed, so that a power loss may still undo it.
#pragma once

#include <string_view>

#include "penstock/disk/folder.h"

namespace penstock::disk {

enum class Existing {
  replace,  // whatever was there, at once: a reader sees the old file or the new, never neither
  refuse,   // Error(conflict) if anything is there; of many at once exactly one wins
};

// Renames `staged`, which must be fsynced, to `name` in the same folder, then fsyncs the folder.
void publish_file(const Folder& folder, std::string_view staged, std::string_view name, Existing existing);

// Fsyncs every file and folder below `staged`, renames it to `name` and fsyncs `folder`. A name that is taken
// is Error(conflict): no call replaces a full folder at once. Links inside are kept as links.
void publish_folder(const Folder& folder, std::string_view staged, std::string_view name);

// The same in two steps, for who must write something down between them: sync_tree(), then this. `staged` of
// `from` becomes `name` of `to`, in place of nothing or of an empty folder there, at once; both are fsynced.
void publish_folder_over(const Folder& from, std::string_view staged, const Folder& to,
                         std::string_view name);
// Fsyncs every file and folder below; from kManyFiles files on by one syncfs(2), which writes out all that
// its file system holds: 1,000 files of 1 KiB on ext4 took 2.5 s one by one.
void sync_tree(const Folder& folder);
inline constexpr std::size_t kManyFiles = 65;

// The rename alone, for who must hold a lock around it and not around the fsync that follows.
void rename_staged(const Folder& folder, std::string_view staged, std::string_view name, Existing existing);
void sync_published(const Folder& folder, std::string_view name);

// Staged names begin so; listings hide them.
inline constexpr std::string_view kStagedPrefix = ".penstock-";
std::string staged_name();  // kStagedPrefix, 32 random hex digits

}  // namespace penstock::disk
