#include "penstock/disk/file_source.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>

#include "penstock/base/wait.h"
#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

Descriptor open_trusted(const std::string& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!file) throw_errno("open", path, Side::source);
  return file;
}

struct stat regular_status(int fd, const std::string& path) {
  struct stat status;
  if (::fstat(fd, &status) != 0) throw_errno("stat", path, Side::source);
  if (S_ISDIR(status.st_mode)) throw system_error(EISDIR, "read", path, Side::source);
  if (S_ISREG(status.st_mode)) return status;
  throw Error{Kind::refused,
              fmt::format("cannot read {}: it is not a regular file", path),
              {.side = Side::source, .doing = "open", .subject = path, .code = std::string{code::kNotAFile}}};
}

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

FileSource::FileSource(const std::string& path, Call call)
    : FileSource(open_trusted(path), path, std::move(call)) {}

FileSource::FileSource(const Folder& folder, std::string_view name, Call call)
    : FileSource(folder.open_file(name), folder.path_of(name), std::move(call)) {}

FileSource::FileSource(Descriptor file, std::string path, Call call)
    : file_(std::move(file)),
      path_(std::move(path)),
      call_(std::move(call)),
      opened_(regular_status(file_.get(), path_)),
      end_(size()) {
  ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);  // a hint; its failure changes nothing
}

void FileSource::seek(std::uint64_t offset, std::uint64_t bytes) {
  if (offset > size() || (bytes != kToTheEnd && bytes > size() - offset)) {
    throw Error{Kind::refused,
                fmt::format("cannot seek to {} in {}: it has {} bytes", offset, path_, size()),
                {.side = Side::source, .doing = "seek", .subject = path_}};
  }
  at_ = offset;
  end_ = bytes == kToTheEnd ? size() : offset + bytes;
}

std::size_t FileSource::read(MutableBytes buffer) {
  base::check(call_, "read a file");
  auto n = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - at_));
  if (n == 0) return 0;
  std::size_t got = read_at(file_.get(), buffer.first(n), at_, path_);
  if (got == 0) {
    throw Error{Kind::corrupt,
                fmt::format("{} shrank while it was read: {} of {} bytes are left", path_, at_, size()),
                {.side = Side::source,
                 .doing = "read",
                 .subject = path_,
                 .code = std::string{code::kShrunk},
                 .bytes_done = at_,
                 .expected = std::to_string(size()),
                 .actual = std::to_string(at_)}};
  }
  at_ += got;
  if (at_ == end_) refuse_change();
  return got;
}

void FileSource::rewind() {
  if (mark_ == kToTheEnd) throw std::logic_error("FileSource::rewind without a mark");
  refuse_change();
  at_ = mark_;
}

void FileSource::refuse_change() const {
  struct stat now;
  if (::fstat(file_.get(), &now) != 0) throw_errno("stat", path_, Side::source);
  if (same_version(now, opened_)) return;
  throw Error{Kind::conflict,
              fmt::format("{} was changed while it was read; read it again", path_),
              {.side = Side::source,
               .doing = "read",
               .subject = path_,
               .code = std::string{penstock::code::kChanged},
               .bytes_done = at_}};
}

}  // namespace penstock::disk
