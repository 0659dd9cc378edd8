#include "penstock/store/folder_store.h"

#include <cerrno>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <time.h>

#include "penstock/base/redact.h"
#include "penstock/base/wait.h"
#include "penstock/disk/file_lock.h"
#include "penstock/disk/file_sink.h"
#include "penstock/disk/file_source.h"
#include "penstock/disk/publish.h"
#include "penstock/disk/staged_file.h"
#include "penstock/disk/system_error.h"
#include "penstock/store/folder_attributes.h"
#include "penstock/store/folder_listing.h"
#include "penstock/store/nothing_at.h"
#include "penstock/store/range.h"
#include "penstock/store/write_checks.h"

namespace penstock::store {
namespace {

void check_folder_key(std::string_view key) {
  check_key(key);
  disk::check_relative(key);
  for (auto at = key.find(disk::kStagedPrefix); at != key.npos; at = key.find(disk::kStagedPrefix, at + 1)) {
    if (at > 0 && key[at - 1] != '/') continue;
    std::string shown = redact_text(key, 128);
    throw Error{
        Kind::refused,
        fmt::format("cannot use the key \"{}\": names that begin with \"{}\" are for unfinished files", shown,
                    disk::kStagedPrefix),
        {.doing = "check key", .subject = shown, .code = "key"}};
  }
}

Error conflict(std::string_view doing, const std::string& path, std::string_view what,
               std::string_view error_code = {}) {
  return Error{
      Kind::conflict,
      fmt::format("cannot {} {}: {}", doing, path, what),
      {.side = Side::sink, .doing = std::string{doing}, .subject = path, .code = std::string{error_code}}};
}

ObjectMeta meta_of(int fd, const struct stat& status, std::string_view key) {
  ObjectMeta meta;
  meta.key = key;
  meta.bytes = static_cast<std::uint64_t>(status.st_size);
  meta.etag = etag_of(status);
  meta.last_modified = modified_at(status);
  read_attributes(fd, status, meta);
  return meta;
}

// The file under a key, open; nullopt where there is none.
std::optional<disk::FileSource> open_object(const disk::Folder& root, std::string_view key,
                                            const Call& call) {
  auto [above, name] = disk::split_path(key);
  auto folder = root.find_folder(above);
  if (!folder) return std::nullopt;
  auto status = folder->find(name);
  if (!status || S_ISDIR(status->st_mode)) return std::nullopt;
  try {
    return disk::FileSource{*folder, name, call};
  } catch (const Error& error) {
    if (error.kind() == Kind::missing) return std::nullopt;  // removed meanwhile
    throw;
  }
}

// nullptr: this file system has no locks, which only if_match cannot do without.
std::shared_ptr<disk::FileLock> lock_folder(const disk::Folder& folder, bool exclusive, const Call& call) {
  try {
    return std::make_shared<disk::FileLock>(folder, exclusive ? disk::Lock::exclusive : disk::Lock::shared,
                                            call);
  } catch (const Error& error) {
    if (!exclusive && error.facts().code == disk::code::kNoLocks) return nullptr;
    throw;
  }
}

// Throws Error(conflict) unless a file may be put at `name`. For if_match the folder must be locked, if the
// answer is to hold.
void check_mode(const disk::Folder& folder, std::string_view name, const Mode& mode) {
  auto status = folder.find(name);
  std::string path = folder.path_of(name);
  if (status && S_ISDIR(status->st_mode)) {
    throw conflict("write", path, "a folder of that name is there", disk::code::kIsAFolder);
  }
  if (mode.kind == Mode::Kind::create && status) {
    throw conflict("create", path, "it is already there", disk::code::kExists);
  }
  bool matches = status && S_ISREG(status->st_mode) && etag_of(*status) == mode.etag;
  if (mode.kind == Mode::Kind::if_match && !matches) {
    throw conflict("replace", path, "it is not the version that was asked for");
  }
}

// The kernel stamps files with the time of its last tick, milliseconds ago; an ETag wants every version told
// apart, so the time is set to the nanosecond.
void stamp(int fd, const std::string& path) {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  const timespec times[2] = {now, now};
  if (::futimens(fd, times) != 0) disk::throw_errno("set the time of", path, Side::sink);
}

class FolderObject : public ObjectSource {
 public:
  FolderObject(disk::FileSource file, ObjectMeta meta) : file_(std::move(file)), meta_(std::move(meta)) {}
  const ObjectMeta& meta() const override { return meta_; }
  std::size_t read(MutableBytes buffer) override { return file_.read(buffer); }
  std::optional<std::uint64_t> remaining() const override { return file_.remaining(); }
  bool rewindable() const override { return true; }
  void mark() override { file_.mark(); }
  void rewind() override { file_.rewind(); }

 private:
  disk::FileSource file_;
  ObjectMeta meta_;
};

class FolderWriter : public Sink {
 public:
  FolderWriter(disk::Folder folder, std::string_view name, std::string_view key, const WriteOptions& options,
               std::string location, Call call)
      : folder_(std::move(folder)),
        name_(name),
        location_(std::move(location)),
        mode_(options.mode),
        meta_(store::meta_of(options, key)),
        checks_(options, location_),
        call_(std::move(call)),
        file_(folder_, name_) {
    meta_.digests = checks_.digests();
    encode_attributes(meta_);  // throws now, not after the last byte, if they do not fit
  }

  void write(Bytes bytes) override {
    if (ended_) throw std::logic_error("write after the end of a writer");
    try {
      base::check(call_, "write an object");
      checks_.update(bytes);
      file_.write(bytes);
    } catch (...) {
      abort("a write failed");
      throw;
    }
  }

  Receipt finish() override {
    if (std::exchange(ended_, true)) throw std::logic_error("finish after the end of a writer");
    base::check(call_, "publish an object");
    checks_.verify();
    stamp(file_.fd(), file_.path());
    write_attributes(file_.fd(), meta_, file_.path());
    Receipt receipt = this->receipt();
    file_.publish(existing(), [&] { return permission(); });
    receipt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    return receipt;
  }

  void abort(std::string_view) noexcept override {
    ended_ = true;
    file_.discard();
  }

 private:
  disk::Existing existing() const {
    return mode_.kind == Mode::Kind::create ? disk::Existing::refuse : disk::Existing::replace;
  }

  std::shared_ptr<void> permission() const {
    auto lock = lock_folder(folder_, mode_.kind == Mode::Kind::if_match, call_);
    check_mode(folder_, name_, mode_);
    return lock;
  }

  Receipt receipt() const {
    struct stat status;
    if (::fstat(file_.fd(), &status) != 0) disk::throw_errno("stat", file_.path(), Side::sink);
    Receipt receipt;
    receipt.bytes = checks_.bytes();
    receipt.key = meta_.key;
    receipt.location = location_;
    receipt.etag = etag_of(status);
    receipt.content_type = meta_.content_type;
    receipt.digests = meta_.digests;
    receipt.mode = "folder";
    return receipt;
  }

  disk::Folder folder_;
  std::string name_, location_;
  Mode mode_;
  ObjectMeta meta_;
  WriteChecks checks_;
  Call call_;
  disk::StagedFile file_;
  SteadyTime began_ = std::chrono::steady_clock::now();
  bool ended_ = false;
};

}  // namespace

FolderStore::FolderStore(const std::string& path, FolderOptions options)
    : root_(options.make ? disk::Folder::make(path) : disk::Folder::open(path)) {}

std::optional<ObjectMeta> FolderStore::find(std::string_view key, const Call& call) {
  check_folder_key(key);
  base::check(call, "find an object");
  auto file = open_object(root_, key, call);
  if (!file) return std::nullopt;
  return meta_of(file->fd(), file->status(), key);
}

std::unique_ptr<ObjectSource> FolderStore::get(std::string_view key, const ReadOptions& options,
                                               const Call& call) {
  check_folder_key(key);
  base::check(call, "get an object");
  auto file = open_object(root_, key, call);
  if (!file) throw nothing_at(location(key), "get");
  ObjectMeta meta = meta_of(file->fd(), file->status(), key);
  if (!options.if_match.empty() && options.if_match != meta.etag) {
    throw conflict("get", location(key), "it is not the version that was asked for");
  }
  if (options.range) {
    Extent extent = resolve(*options.range, meta.bytes, location(key));
    file->seek(extent.offset, extent.bytes);
  }
  return std::make_unique<FolderObject>(*std::move(file), std::move(meta));
}

std::unique_ptr<Sink> FolderStore::open_writer(std::string_view key, const WriteOptions& options,
                                               const Call& call) {
  check_folder_key(key);
  check_metadata(options.metadata, location(key));
  base::check(call, "open a writer");
  auto [above, name] = disk::split_path(key);
  disk::Folder folder = root_.make_folder(above);
  check_mode(folder, name, options.mode);  // again at finish(); here it saves the bytes
  return std::make_unique<FolderWriter>(std::move(folder), name, key, options, location(key), call);
}

std::unique_ptr<Listing> FolderStore::list(std::string_view prefix, const ListOptions& options,
                                           const Call& call) {
  return std::make_unique<FolderListing>(root_, std::string{prefix}, options.start_after, call);
}

void FolderStore::remove(std::string_view key, const RemoveOptions& options, const Call& call) {
  check_folder_key(key);
  base::check(call, "remove an object");
  auto [above, name] = disk::split_path(key);
  auto folder = root_.find_folder(above);
  if (!folder) return;
  auto lock = lock_folder(*folder, !options.if_match.empty(), call);
  auto status = folder->find(name);
  if (!status || S_ISDIR(status->st_mode)) return;
  if (!S_ISREG(status->st_mode)) throw disk::system_error(ELOOP, "remove", folder->path_of(name));
  if (!options.if_match.empty() && options.if_match != etag_of(*status)) {
    throw conflict("remove", location(key), "it is not the version that was asked for");
  }
  folder->remove_file(name);
  folder->sync();
}

std::shared_ptr<ObjectStore> FolderStore::with_bucket(std::string_view bucket) {
  check_folder_key(bucket);
  return std::shared_ptr<ObjectStore>(new FolderStore(root_.make_folder(bucket)));
}

std::string FolderStore::location(std::string_view key) const {
  return disk::file_url(root_.path_of(key));
}

}  // namespace penstock::store
