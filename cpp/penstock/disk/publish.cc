#include "penstock/disk/publish.h"

#include <cerrno>
#include <memory>
#include <random>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

void rename_over(const Folder& folder, const std::string& staged, const std::string& name) {
  if (::renameat(folder.fd(), staged.c_str(), folder.fd(), name.c_str()) != 0) {
    throw_errno("publish", folder.path_of(name), Side::sink);
  }
}

// For file systems without RENAME_NOREPLACE. A crash between the two leaves the file under both names, and
// the staged one is hidden.
void link_then_unlink(const Folder& folder, const std::string& staged, const std::string& name) {
  if (::linkat(folder.fd(), staged.c_str(), folder.fd(), name.c_str(), 0) != 0) {
    throw_errno("publish", folder.path_of(name), Side::sink);
  }
  ::unlinkat(folder.fd(), staged.c_str(), 0);
}

bool rename_new(const Folder& folder, const std::string& staged, const std::string& name) {
  if (::renameat2(folder.fd(), staged.c_str(), folder.fd(), name.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;  // the file system does not know the flag
  throw_errno("publish", folder.path_of(name), Side::sink);
}

void sync_file(const Folder& folder, const std::string& name) {
  Descriptor file = folder.open_file(name);
  if (::fsync(file.get()) != 0) throw_errno("fsync", folder.path_of(name), Side::sink);
}

// `published` is there, in `folder` or moved out of it.
void sync_or_doubt(const Folder& folder, const std::string& published) {
  try {
    folder.sync();
  } catch (const Error& failed) {
    throw Error{
        Kind::in_doubt,
        fmt::format("{} was published, but its folder could not be fsynced, so a power loss may undo it: {}",
                    published, failed.message()),
        {.side = Side::sink,
         .doing = "publish",
         .subject = published,
         .code = failed.facts().code,
         .cause = std::make_shared<Error>(failed)}};
  }
}

// Files below, but no more than are needed to know that they are many.
std::size_t count_files(const Folder& folder) {
  std::size_t files = 0;
  each_entry(folder, [&](const Entry& entry) {
    if (files >= kManyFiles) return;
    if (entry.type == Entry::Type::folder) files += count_files(folder.folder(entry.name));
    if (entry.type == Entry::Type::file) ++files;
  });
  return files;
}

void sync_one_by_one(const Folder& folder) {
  each_entry(folder, [&](const Entry& entry) {
    if (entry.type == Entry::Type::folder) sync_one_by_one(folder.folder(entry.name));
    if (entry.type == Entry::Type::file) sync_file(folder, entry.name);
  });
  folder.sync();
}

}  // namespace

void sync_tree(const Folder& folder) {
  if (count_files(folder) < kManyFiles) return sync_one_by_one(folder);
  if (::syncfs(folder.fd()) != 0) throw_errno("syncfs", folder.path(), Side::sink);
}

void publish_folder_over(const Folder& from, std::string_view staged, const Folder& to,
                         std::string_view name) {
  const std::string old_name{staged}, new_name{name};
  if (::renameat(from.fd(), old_name.c_str(), to.fd(), new_name.c_str()) != 0)
    throw_errno("publish", to.path_of(new_name), Side::sink);
  sync_published(to, name);
  sync_or_doubt(from, to.path_of(new_name));
}

void rename_staged(const Folder& folder, std::string_view staged, std::string_view name, Existing existing) {
  std::string from{staged}, to{name};
  if (existing == Existing::replace) return rename_over(folder, from, to);
  if (!rename_new(folder, from, to)) link_then_unlink(folder, from, to);
}

void sync_published(const Folder& folder, std::string_view name) {
  sync_or_doubt(folder, folder.path_of(name));
}

void publish_file(const Folder& folder, std::string_view staged, std::string_view name, Existing existing) {
  rename_staged(folder, staged, name, existing);
  sync_published(folder, name);
}

void publish_folder(const Folder& folder, std::string_view staged, std::string_view name) {
  sync_tree(folder.folder(staged));
  // renameat alone replaces an empty folder, which is harmless but not what `refuse` says; it is the fallback
  // because folders cannot be linked.
  std::string from{staged}, to{name};
  if (!rename_new(folder, from, to)) rename_over(folder, from, to);
  sync_published(folder, name);
}

std::string staged_name() {
  std::random_device random;
  std::string name{kStagedPrefix};
  for (int i = 0; i < 4; ++i) name += fmt::format("{:08x}", random());
  return name;
}

}  // namespace penstock::disk
