#include "penstock/store/folder_listing.h"

#include <utility>

#include "penstock/base/wait.h"
#include "penstock/disk/publish.h"
#include "penstock/store/folder_attributes.h"

namespace penstock::store {
namespace {

bool is_key(const std::string& key) {
  try {
    check_key(key);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// A prefix such as "/x", "a//b" or "../" is the beginning of no key here.
bool can_be_a_path(std::string_view folder) {
  if (folder.empty()) return true;
  try {
    disk::check_relative(folder);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

FolderListing::FolderListing(const disk::Folder& root, std::string prefix, std::string start_after, Call call,
                             std::size_t batch)
    : prefix_(std::move(prefix)),
      start_after_(std::move(start_after)),
      call_(std::move(call)),
      batch_(batch) {
  std::string above{disk::split_path(prefix_).folder};
  if (prefix_.starts_with('/') || !can_be_a_path(above)) return;
  auto folder = root.find_folder(above);
  if (!folder) return;
  std::string path = above.empty() ? "" : above + "/";
  levels_.push_back({*std::move(folder), std::move(path), {}, {}, false});
}

std::optional<ObjectMeta> FolderListing::next() {
  while (!levels_.empty()) {
    base::check(call_, "list objects");
    Level& level = levels_.back();
    if (level.names.empty()) {
      if (!level.complete) fill(level);
      if (level.names.empty()) {
        levels_.pop_back();
        continue;
      }
    }
    std::string name = std::move(level.names.extract(level.names.begin()).value());
    if (name.ends_with('/')) {
      enter(name);
    } else if (auto meta = meta_of(level, name)) {
      return meta;
    }
  }
  return std::nullopt;
}

// The smallest `batch_` names after `done`, of all there are.
void FolderListing::fill(Level& level) {
  level.complete = true;
  disk::each_entry(level.folder, [&](const disk::Entry& entry) {
    std::string name = entry.type == disk::Entry::Type::folder ? entry.name + "/" : entry.name;
    if (name <= level.done || !wanted(level.path + name, entry.type)) return;
    level.names.insert(std::move(name));
    if (level.names.size() <= batch_) return;
    level.names.erase(std::prev(level.names.end()));
    level.complete = false;
  });
  if (!level.names.empty()) level.done = *level.names.rbegin();
}

bool FolderListing::wanted(const std::string& key, disk::Entry::Type type) const {
  std::string_view name = disk::split_path(std::string_view{key}.substr(0, key.size() - 1)).name;
  if (name.starts_with(disk::kStagedPrefix)) return false;
  if (type == disk::Entry::Type::file) return key.starts_with(prefix_) && key > start_after_ && is_key(key);
  if (type != disk::Entry::Type::folder) return false;
  bool on_the_way = key.starts_with(prefix_) || prefix_.starts_with(key);
  return on_the_way && (key > start_after_ || start_after_.starts_with(key));
}

void FolderListing::enter(const std::string& name) {
  Level& level = levels_.back();
  std::string path = level.path + name;
  // Removed meanwhile: as if it had not been listed.
  auto folder = level.folder.find_folder(std::string_view{name}.substr(0, name.size() - 1));
  if (folder) levels_.push_back({*std::move(folder), std::move(path), {}, {}, false});
}

std::optional<ObjectMeta> FolderListing::meta_of(const Level& level, const std::string& name) const {
  auto status = level.folder.find(name);
  if (!status || !S_ISREG(status->st_mode)) return std::nullopt;
  ObjectMeta meta;
  meta.key = level.path + name;
  meta.bytes = static_cast<std::uint64_t>(status->st_size);
  meta.etag = etag_of(*status);
  meta.last_modified = modified_at(*status);
  return meta;
}

}  // namespace penstock::store
