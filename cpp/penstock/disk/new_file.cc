#include "penstock/disk/new_file.h"

#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "penstock/base/wait.h"
#include "penstock/disk/system_error.h"

namespace penstock::disk {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

}  // namespace

NewFile::NewFile(const Folder& folder, std::string_view name) : folder_(folder), name_(name) {
  check_relative(name);
  file_ = Descriptor{
      ::openat(folder_.fd(), name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!file_) throw_errno("create", folder_.path_of(name_), Side::sink);
}

NewFile::~NewFile() {
  if (file_) ::unlinkat(folder_.fd(), name_.c_str(), 0);
}

void NewFile::write(Bytes bytes) {
  write_all(file_.get(), bytes, folder_.path_of(name_));
}

void NewFile::write_from(Source& source, const Call& call) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    base::check(call, "write a file");
    const std::size_t n = source.read(buffer);
    if (n == 0) return;
    write(Bytes{buffer}.first(n));
  }
}

void NewFile::keep() {
  file_.close();
}

void write_new_file(const Folder& folder, std::string_view name, std::string_view text) {
  NewFile file{folder, name};
  file.write(as_bytes(text));
  file.keep();
}

}  // namespace penstock::disk
