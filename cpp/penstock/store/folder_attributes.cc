#include "penstock/store/folder_attributes.h"

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/xattr.h>

#include "penstock/disk/system_error.h"

namespace penstock::store {
namespace {

constexpr const char* kAttribute = "user.penstock";
constexpr std::size_t kMaxBytes = 3800;  // ext4 keeps attributes in one block of 4,096
constexpr std::string_view kMetadata = "meta.", kDigest = "digest.", kAsOf = "as-of";

constexpr std::pair<std::string_view, std::string ObjectMeta::*> kHeaders[] = {
    {"content-type", &ObjectMeta::content_type},
    {"content-encoding", &ObjectMeta::content_encoding},
    {"content-disposition", &ObjectMeta::content_disposition},
    {"cache-control", &ObjectMeta::cache_control},
};

void append(std::string& text, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  // The pairs are separated by NUL, so a value may hold anything else.
  text.append(name).push_back('\0');
  text.append(value.substr(0, value.find('\0'))).push_back('\0');
}

// "" when nothing is left.
std::string_view next_field(std::string_view& rest) {
  auto end = rest.find('\0');
  if (end == rest.npos) return rest = {};
  std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return field;
}

std::string read_raw(int fd) {
  std::string text(64 * 1024, '\0');  // the kernel's own limit on one attribute
  ssize_t n = ::fgetxattr(fd, kAttribute, text.data(), text.size());
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return text;
}

std::string version_of(const struct stat& status) {
  return fmt::format("{:x}-{:x}.{:09}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void read_field(std::string_view name, std::string_view value, ObjectMeta& meta) {
  for (const auto& [header, member] : kHeaders) {
    if (name == header) meta.*member = value;
  }
  if (name.starts_with(kMetadata)) meta.metadata[std::string{name.substr(kMetadata.size())}] = value;
  if (name.starts_with(kDigest)) meta.digests[std::string{name.substr(kDigest.size())}] = value;
}

}  // namespace

std::string encode_attributes(const ObjectMeta& meta) {
  std::string text;
  for (const auto& [name, member] : kHeaders) append(text, name, meta.*member);
  for (const auto& [name, value] : meta.metadata) append(text, std::string{kMetadata} + name, value);
  for (const auto& [name, value] : meta.digests) append(text, std::string{kDigest} + name, value);
  if (text.size() <= kMaxBytes) return text;
  throw Error{Kind::refused,
              fmt::format("the attributes of {} take {} bytes, and a file keeps at most {}", meta.key,
                          text.size(), kMaxBytes),
              {.side = Side::sink,
               .doing = "write",
               .subject = meta.key,
               .code = std::string{penstock::code::kTooLarge}}};
}

void write_attributes(int fd, const ObjectMeta& meta, const std::string& path) {
  std::string text = encode_attributes(meta);
  if (text.empty()) return;
  struct stat status;
  if (::fstat(fd, &status) != 0) disk::throw_errno("stat", path, Side::sink);
  append(text, kAsOf, version_of(status));
  if (::fsetxattr(fd, kAttribute, text.data(), text.size(), 0) == 0 || errno == ENOTSUP) return;
  disk::throw_errno("set the attributes of", path, Side::sink);
}

void read_attributes(int fd, const struct stat& status, ObjectMeta& meta) {
  std::string text = read_raw(fd);
  std::string_view rest = text, as_of;
  while (!rest.empty()) {
    std::string_view name = next_field(rest), value = next_field(rest);
    if (name == kAsOf) as_of = value;
    read_field(name, value, meta);
  }
  if (as_of != version_of(status)) meta.digests.clear();
}

std::string etag_of(const struct stat& status) {
  return fmt::format("\"{:x}-{}\"", status.st_ino, version_of(status));
}

WallTime modified_at(const struct stat& status) {
  auto since = std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec};
  return WallTime{std::chrono::duration_cast<WallTime::duration>(since)};
}

}  // namespace penstock::store
