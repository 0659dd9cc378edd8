#include "penstock/disk/spool.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

constexpr std::size_t kNewestBytes = 64 * 1024;

std::string usual_folder() {
  const char* named = std::getenv("TMPDIR");
  return named && *named ? named : "/tmp";
}

// Where a file system has no O_TMPFILE (NFS, old overlays) the name lives for as long as unlink takes.
Descriptor open_nameless(const std::string& folder) {
  Descriptor file{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (file) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    throw_errno("create a spool file", folder, Side::sink);
  std::string name = folder + "/.penstock-spool-XXXXXX";
  file = Descriptor{::mkostemp(name.data(), O_CLOEXEC)};
  if (!file) throw_errno("create a spool file", folder, Side::sink);
  ::unlink(name.c_str());
  return file;
}

}  // namespace

Spool::Spool(std::string folder) : folder_(folder.empty() ? usual_folder() : std::move(folder)) {}

void Spool::write(Bytes bytes) {
  if (newest_.size() + bytes.size() > kNewestBytes) {
    write_through(newest_);
    newest_.clear();
  }
  if (bytes.size() > kNewestBytes) return write_through(bytes);
  newest_.insert(newest_.end(), bytes.begin(), bytes.end());
}

void Spool::write_through(Bytes bytes) {
  if (!file_) file_ = open_nameless(folder_);
  // Not where a write that failed half-way has left it.
  if (::lseek(file_.get(), static_cast<off_t>(on_disk_), SEEK_SET) < 0)
    throw_errno("write", folder_, Side::sink);
  write_all(file_.get(), bytes, folder_);
  on_disk_ += bytes.size();
}

void Spool::cut(std::uint64_t size) noexcept {
  if (size >= on_disk_) return newest_.resize(std::min<std::uint64_t>(newest_.size(), size - on_disk_));
  newest_.clear();
  on_disk_ = size;
  // Only for its room: what is behind is written over.
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return;
}

std::size_t Spool::read_at(std::uint64_t offset, MutableBytes buffer) const {
  if (offset < on_disk_) {
    const auto there = std::min<std::uint64_t>(buffer.size(), on_disk_ - offset);
    return disk::read_at(file_.get(), buffer.first(there), offset, folder_);
  }
  if (offset >= size()) return 0;
  const Bytes rest = Bytes{newest_}.subspan(offset - on_disk_);
  const std::size_t n = std::min(buffer.size(), rest.size());
  std::copy_n(rest.begin(), n, buffer.begin());
  return n;
}

std::size_t SpoolSource::read(MutableBytes buffer) {
  const std::size_t got = spool_.read_at(at_, buffer);
  at_ += got;
  return got;
}

void SpoolSource::rewind() {
  if (!mark_) throw std::logic_error("SpoolSource::rewind without a mark");
  at_ = *mark_;
}

}  // namespace penstock::disk
