#include "penstock/disk/spool.h"

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

Spool::Spool(std::string folder)
    : folder_(folder.empty() ? usual_folder() : std::move(folder)), file_(open_nameless(folder_)) {}

void Spool::write(Bytes bytes) {
  // Not where a write that failed half-way has left it.
  if (::lseek(file_.get(), static_cast<off_t>(size_), SEEK_SET) < 0)
    throw_errno("write", folder_, Side::sink);
  write_all(file_.get(), bytes, folder_);
  size_ += bytes.size();
}

std::size_t Spool::read_at(std::uint64_t offset, MutableBytes buffer) const {
  return disk::read_at(file_.get(), buffer, offset, folder_);
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
