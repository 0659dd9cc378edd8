#include "penstock/bundles/folder_staging.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "penstock/bundles/bid.h"
#include "penstock/bundles/names.h"
#include "penstock/disk/file_source.h"
#include "penstock/disk/new_file.h"
#include "penstock/disk/publish.h"
#include "penstock/disk/system_error.h"

namespace penstock::bundles {
namespace {

constexpr std::string_view kMeta = ".meta";
constexpr std::size_t kMaxMetaBytes = 16 << 20;
constexpr int kMostIncomplete = 1000;  // folders of one BID
constexpr std::string_view kIncomplete = "incomplete_";

void copy_manifest(const disk::Folder& folder, const Manifest& manifest, const Call& call) {
  disk::NewFile file{folder, kManifestFile};
  disk::SpoolSource lines{manifest.spool()};
  file.write_from(lines, call);
  file.keep();
}

// A resource is finished if its sidecar is there; whatever else was being written is removed. False: nothing
// is left.
bool keep_finished(const disk::Folder& folder) {
  std::vector<std::string> unfinished;
  bool any = false;
  disk::each_entry(folder, [&](const disk::Entry& entry) {
    if (entry.name.ends_with(kMeta)) return;
    const bool finished = folder.find(entry.name + std::string{kMeta}).has_value();
    any |= finished;
    if (!finished) unfinished.push_back(entry.name);
  });
  for (const std::string& name : unfinished) remove_tree(folder, name);
  return any;
}

void move_to_incomplete(const disk::Folder& root, const disk::Folder& instance, const std::string& staged) {
  for (int number = 1; number <= kMostIncomplete; ++number) {
    const std::string name =
        std::string{kIncomplete} + staged + (number == 1 ? "" : "~" + std::to_string(number));
    if (root.find(name)) continue;
    return disk::publish_folder_over(instance, staged, root, name);
  }
  remove_tree(instance, staged);
}

// Named by put_away(): a user's own incomplete_downloads/ is none of ours.
bool was_put_away(std::string_view name) {
  if (!name.starts_with(kIncomplete)) return false;
  name.remove_prefix(kIncomplete.size());
  const auto number = name.rfind('~');
  if (number != name.npos && name.find_first_not_of("0123456789", number + 1) == name.npos)
    name = name.substr(0, number);
  return Bid::is_valid(name);
}

std::string read_small(const disk::Folder& folder, std::string_view name) {
  disk::FileSource file{folder, name, {}};
  std::string text(std::min<std::uint64_t>(file.remaining().value_or(0), kMaxMetaBytes), '\0');
  text.resize(read_full(file, std::as_writable_bytes(std::span{text.data(), text.size()})));
  return text;
}

}  // namespace

std::string bundle_folder(const std::string& bid) {
  return "bundle_" + safe_part(bid);
}

void put_away(const disk::Folder& root, const disk::Folder& instance, const std::string& staged,
              Abandoned how) {
  ::unlinkat(root.fd(), ("bundle_" + staged).c_str(), AT_REMOVEDIR);  // fails if it is no claim any more
  const auto folder = instance.find_folder(staged);
  if (!folder) return;
  if (how == Abandoned::quarantine && keep_finished(*folder)) {
    folder->remove_file(kBundleMeta);   // readers trust a folder that has it
    ::futimens(folder->fd(), nullptr);  // now: from here on it is kept for a while
    move_to_incomplete(root, instance, staged);
  } else {
    remove_tree(instance, staged);
  }
}

FolderStaging::FolderStaging(disk::Folder root, std::shared_ptr<Instance> instance, std::string bid,
                             std::string key, Abandoned abandoned, bool legacy_repr)
    : root_(std::move(root)),
      instance_(std::move(instance)),
      bid_(std::move(bid)),
      staged_(safe_part(bid_)),
      folder_(instance_->folder().folder(staged_)),
      key_(std::move(key)),
      abandoned_(abandoned),
      legacy_repr_(legacy_repr) {}

void FolderStaging::put(const std::string& name, const Resource&, Source& body, const Call& call) {
  disk::NewFile file{folder_, name};
  file.write_from(body, call);
  file.keep();
}

void FolderStaging::describe(const Resource& resource, const StoredResource& stored, const Call&) {
  std::string text = sidecar_of(resource, stored);
  if (legacy_repr_) {
    Json json;
    json["url"] = resource.url;
    json["content_type"] = resource.content_type ? Json(*resource.content_type) : Json(nullptr);
    json["status_code"] = resource.status_code;
    json["size"] = stored.bytes;
    text = python_repr(json);
  }
  disk::write_new_file(folder_, stored.name + std::string{kMeta}, text);
}

void FolderStaging::withdraw(const std::string& name) noexcept {
  if (!instance_->is_of_this_process()) return;
  ::unlinkat(folder_.fd(), (name + std::string{kMeta}).c_str(), 0);
  ::unlinkat(folder_.fd(), name.c_str(), 0);
}

void FolderStaging::seal(const Sealed& sealed, const Manifest& manifest, const Call& call) {
  folder_.remove_file(kManifestFile);  // of a try before
  folder_.remove_file(kBundleMeta);
  copy_manifest(folder_, manifest, call);
  const std::string meta =
      legacy_repr_ ? python_repr(legacy_bundle_meta(sealed)) : compact(bundle_meta(sealed));
  disk::write_new_file(folder_, kBundleMeta, meta);
  token_ = sha256_hex(meta);
  disk::sync_tree(folder_);
}

Marker FolderStaging::marker() const {
  return {.key = bundle_folder(bid_), .token = token_};
}

void FolderStaging::commit(const Call&) {
  if (renamed_) return disk::sync_published(root_, bundle_folder(bid_));  // a try before was in doubt
  try {
    disk::publish_folder_over(instance_->folder(), staged_, root_, bundle_folder(bid_));
  } catch (const Error& error) {
    renamed_ = error.kind() == Kind::in_doubt;
    throw;
  }
  renamed_ = true;
}

void FolderStaging::discard(std::string_view) noexcept {
  try {
    if (!instance_->is_of_this_process()) return;
    put_away(root_, instance_->folder(), staged_, abandoned_);
  } catch (const std::exception&) {
    // The next sweep finds it.
  }
}

Found look(const disk::Folder& root, const Marker& marker) {
  const auto folder = root.find_folder(marker.key);
  if (!folder || !folder->find(kBundleMeta)) return Found::nothing;
  return sha256_hex(read_small(*folder, kBundleMeta)) == marker.token ? Found::ours : Found::anothers;
}

void remove_expired(const disk::Folder& root, WallTime before) {
  std::vector<std::string> expired;
  disk::each_entry(root, [&](const disk::Entry& entry) {
    if (entry.type != disk::Entry::Type::folder || !was_put_away(entry.name)) return;
    const auto status = root.find(entry.name);
    if (status && WallTime{std::chrono::seconds{status->st_mtim.tv_sec}} < before)
      expired.push_back(entry.name);
  });
  for (const std::string& name : expired) remove_tree(root, name);
}

}  // namespace penstock::bundles
