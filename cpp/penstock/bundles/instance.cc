#include "penstock/bundles/instance.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "penstock/base/wait.h"
#include "penstock/disk/system_error.h"

namespace penstock::bundles {
namespace {

constexpr std::string_view kLockFile = "lock", kDoorFile = "door";
constexpr std::size_t kNameDigits = 16;

std::string new_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

bool is_instance(const disk::Entry& entry) {
  return entry.type == disk::Entry::Type::folder && entry.name.size() == kNameDigits &&
         entry.name.find_first_not_of("0123456789abcdef") == entry.name.npos;
}

std::vector<disk::Entry> entries_of(const disk::Folder& folder) {
  std::vector<disk::Entry> entries;
  disk::each_entry(folder, [&](const disk::Entry& entry) { entries.push_back(entry); });
  return entries;
}

void remove_folder(const disk::Folder& folder, const std::string& name) {
  if (::unlinkat(folder.fd(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    disk::throw_errno("remove folder", folder.path_of(name));
}

// Between the making of an instance's folder and its locking a sweep would take it for left over.
disk::FileLock door(const disk::Folder& own, const Call& call) {
  return {own, kDoorFile, disk::Lock::exclusive, call};
}

}  // namespace

void remove_tree(const disk::Folder& folder, const std::string& name) {
  const auto below = folder.find_folder(name);
  if (!below) return folder.remove_file(name);
  for (const disk::Entry& entry : entries_of(*below)) {
    if (entry.type == disk::Entry::Type::folder) {
      remove_tree(*below, entry.name);
    } else {
      below->remove_file(entry.name);
    }
  }
  remove_folder(folder, name);
}

Instance::Instance(const disk::Folder& root, const Call& call)
    : own_(root.make_folder(kOwnFolder)), name_(new_name()), folder_(own_), pid_(::getpid()) {
  const disk::FileLock closed = door(own_, call);
  folder_ = own_.make_folder(name_);
  lock_ = disk::FileLock::try_lock(folder_, kLockFile, disk::Lock::exclusive);
}

Instance::~Instance() {
  if (!is_of_this_process()) return;
  try {
    // What is not removed here is left to the next sweep.
    const auto closed = disk::FileLock::try_lock(own_, kDoorFile, disk::Lock::exclusive);
    if (closed && entries_of(folder_).size() == 1) remove_tree(own_, name_);
  } catch (const Error&) {
  }
}

bool Instance::is_of_this_process() const {
  return pid_ == ::getpid();
}

void each_leftover(const disk::Folder& root,
                   const std::function<void(const disk::Folder&, const std::string&)>& take,
                   const Call& call) {
  const auto own = root.find_folder(kOwnFolder);
  if (!own) return;
  const disk::FileLock closed = door(*own, call);
  for (const disk::Entry& entry : entries_of(*own)) {
    if (!is_instance(entry)) continue;
    base::check(call, "sweep a folder of bundles");
    const disk::Folder instance = own->folder(entry.name);
    auto lock = disk::FileLock::try_lock(instance, kLockFile, disk::Lock::exclusive);
    if (!lock) continue;
    for (const disk::Entry& staged : entries_of(instance))
      if (staged.type == disk::Entry::Type::folder) take(instance, staged.name);
    remove_tree(*own, entry.name);
  }
}

}  // namespace penstock::bundles
