#include "penstock/disk/folder.h"

#include <cerrno>
#include <filesystem>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[noreturn]] void refuse_path(std::string_view path, std::string_view why) {
  throw Error{Kind::refused,
              fmt::format("cannot use the path {:?}: {}", path, why),
              {.doing = "check path", .subject = std::string{path}}};
}

// Calls `step` with each component, as long as it returns true.
template <typename Step>
bool each_component(std::string_view path, Step step) {
  while (!path.empty()) {
    auto slash = path.find('/');
    if (!step(std::string{path.substr(0, slash)})) return false;
    path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
  }
  return true;
}

void check_component(std::string_view component, std::string_view path) {
  if (component.empty()) refuse_path(path, "a component is empty");
  if (component == "." || component == "..") refuse_path(path, "\".\" and \"..\" lead elsewhere");
  if (component.size() > NAME_MAX) refuse_path(path, "a component is longer than 255 bytes");
}

Error not_plain(std::string_view doing, const std::string& path, std::string_view what,
                std::string_view error_code, Side side) {
  return Error{Kind::refused,
               fmt::format("cannot {} {}: it is {}", doing, path, what),
               {.side = side, .doing = std::string{doing}, .subject = path, .code = std::string{error_code}}};
}

Entry::Type type_of(const Folder& folder, const dirent& entry) {
  unsigned char type = entry.d_type;
  if (type == DT_UNKNOWN) {  // some file systems leave it to lstat
    auto status = folder.find(entry.d_name);
    if (status) type = IFTODT(status->st_mode);
  }
  if (type == DT_REG) return Entry::Type::file;
  return type == DT_DIR ? Entry::Type::folder : Entry::Type::other;
}

}  // namespace

void check_relative(std::string_view path) {
  if (path.find('\0') != path.npos) refuse_path(path, "it holds a NUL byte");
  std::string_view rest = path;
  for (;;) {
    auto slash = rest.find('/');
    check_component(rest.substr(0, slash), path);
    if (slash == rest.npos) return;
    rest.remove_prefix(slash + 1);
  }
}

SplitPath split_path(std::string_view path) {
  auto slash = path.rfind('/');
  if (slash == path.npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

Folder Folder::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw_errno("open folder", path);
  return {Descriptor{fd}, std::filesystem::absolute(path).lexically_normal().string()};
}

Folder Folder::make(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) throw system_error(failed.value(), "make folder", path);
  return open(path);
}

std::optional<Folder> Folder::child(const std::string& name) const {
  int fd = ::openat(fd_->get(), name.c_str(), kOpenFolder);
  if (fd >= 0) return Folder{Descriptor{fd}, path_of(name)};
  // Linux says ENOTDIR for a link too when O_DIRECTORY is asked; only lstat tells them apart.
  int number = errno;
  if (number == ENOTDIR) {
    auto found = find(name);
    if (found && S_ISLNK(found->st_mode)) throw system_error(ELOOP, "open folder", path_of(name));
    return std::nullopt;
  }
  if (number == ENOENT) return std::nullopt;
  throw system_error(number, "open folder", path_of(name));
}

std::optional<Folder> Folder::find_folder(std::string_view relative) const {
  if (relative.empty()) return *this;
  check_relative(relative);
  Folder at = *this;
  bool found = each_component(relative, [&](const std::string& name) {
    auto next = at.child(name);
    if (next) at = std::move(*next);
    return next.has_value();
  });
  if (!found) return std::nullopt;
  return at;
}

Folder Folder::folder(std::string_view relative) const {
  if (auto found = find_folder(relative)) return *found;
  throw system_error(ENOENT, "open folder", path_of(relative));
}

Folder Folder::make_child(const std::string& name) const {
  if (auto there = child(name)) return *there;
  if (::mkdirat(fd_->get(), name.c_str(), 0777) == 0) {
    sync();
  } else if (errno != EEXIST) {
    throw_errno("make folder", path_of(name), Side::sink);
  }
  if (auto made = child(name)) return *made;
  throw Error{Kind::conflict,
              fmt::format("cannot make folder {}: a file is in its place", path_of(name)),
              {.side = Side::sink,
               .doing = "make folder",
               .subject = path_of(name),
               .code = std::string{code::kNotAFolder}}};
}

Folder Folder::make_folder(std::string_view relative) const {
  if (relative.empty()) return *this;
  check_relative(relative);
  Folder at = *this;
  each_component(relative, [&](const std::string& name) {
    at = at.make_child(name);
    return true;
  });
  return at;
}

Descriptor Folder::open_file(std::string_view name) const {
  check_component(name, name);
  std::string path = path_of(name);
  // O_NONBLOCK: opening a FIFO must not wait for its writer. Regular files ignore it.
  Descriptor file{
      ::openat(fd_->get(), std::string{name}.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file) throw_errno("open", path, Side::source);
  struct stat status;
  if (::fstat(file.get(), &status) != 0) throw_errno("stat", path, Side::source);
  if (S_ISDIR(status.st_mode)) throw not_plain("open", path, "a folder", code::kIsAFolder, Side::source);
  if (!S_ISREG(status.st_mode)) {
    throw not_plain("open", path, "not a regular file", code::kNotAFile, Side::source);
  }
  return file;
}

std::optional<struct stat> Folder::find(std::string_view name) const {
  struct stat status;
  if (::fstatat(fd_->get(), std::string{name}.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno("stat", path_of(name));
}

void Folder::remove_file(std::string_view name) const {
  if (::unlinkat(fd_->get(), std::string{name}.c_str(), 0) == 0 || errno == ENOENT) return;
  throw_errno("remove", path_of(name));
}

void each_entry(const Folder& folder, const std::function<void(const Entry&)>& visit) {
  // A descriptor of its own: readdir keeps its place in the open file, and copies of a handle share one.
  Folder own = folder.reopened();
  int fd = ::dup(own.fd());
  DIR* stream = fd < 0 ? nullptr : ::fdopendir(fd);
  if (!stream) {
    if (fd >= 0) ::close(fd);
    throw_errno("list folder", folder.path());
  }
  std::unique_ptr<DIR, int (*)(DIR*)> open{stream, ::closedir};
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (!entry && errno != 0) throw_errno("list folder", folder.path());
    if (!entry) return;
    std::string name = entry->d_name;
    if (name != "." && name != "..") visit({name, type_of(folder, *entry)});
  }
}

void Folder::sync() const {
  if (::fsync(fd_->get()) != 0) throw_errno("fsync folder", path_, Side::sink);
}

Folder Folder::reopened() const {
  int fd = ::openat(fd_->get(), ".", kOpenFolder);
  if (fd < 0) throw_errno("open folder", path_);
  return {Descriptor{fd}, path_};
}

}  // namespace penstock::disk
