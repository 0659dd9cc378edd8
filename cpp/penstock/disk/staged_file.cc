#include "penstock/disk/staged_file.h"

#include <cerrno>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

namespace penstock::disk {

StagedFile::StagedFile(const Folder& folder, std::string_view name)
    : process_(::getpid()), folder_(folder), name_(name), staged_(staged_name()) {
  check_relative(name);
  if (name.find('/') != name.npos) {
    throw Error{Kind::refused,
                fmt::format("cannot write {:?}: it is a path, not a name in {}", name, folder.path()),
                {.side = Side::sink, .doing = "create", .subject = std::string{name}}};
  }
  file_ = Descriptor{
      ::openat(folder_.fd(), staged_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!file_) throw_errno("create", path(), Side::sink);
}

void StagedFile::refuse_in_child() const {
  if (::getpid() != process_)
    throw std::logic_error("a file being written does not survive fork(): open it in the child");
}

void StagedFile::write(Bytes bytes) {
  refuse_in_child();
  write_all(file_.get(), bytes, path());
  bytes_ += bytes.size();
}

void StagedFile::write_at(Bytes bytes, std::uint64_t offset) const {
  refuse_in_child();
  write_all_at(file_.get(), bytes, offset, path());
}

void StagedFile::publish(Existing existing, const std::function<std::shared_ptr<void>()>& before_rename) {
  refuse_in_child();
  if (::fsync(file_.get()) != 0) throw_errno("fsync", path(), Side::sink);
  {
    std::shared_ptr<void> held = before_rename ? before_rename() : nullptr;
    rename_staged(folder_, staged_, name_, existing);
  }
  file_.close();
  sync_published(folder_, name_);
}

void StagedFile::discard() noexcept {
  if (!file_) return;
  if (::getpid() == process_) ::unlinkat(folder_.fd(), staged_.c_str(), 0);
  file_.close();
}

}  // namespace penstock::disk
