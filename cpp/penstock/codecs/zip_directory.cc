#include "penstock/codecs/zip_directory.h"

#include <algorithm>

#include "penstock/streams/hash.h"

namespace penstock::codecs {

ZipDirectory::NameSum ZipDirectory::sum_of(std::string_view name) {
  Hasher hasher{Algorithm::sha256};
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    hasher.update(as_bytes(part));
    hasher.update(as_bytes("/"));
  }
  const Digest digest = hasher.digest();
  NameSum sum;
  std::ranges::copy(digest.raw().first(sum.size()), sum.begin());
  return sum;
}

void ZipDirectory::add(std::uint64_t offset, const zip::Member& found, bool path_like) {
  members_.push_back({.offset = offset,
                      .packed_bytes = found.packed_bytes,
                      .bytes = found.bytes,
                      .crc32 = found.crc32,
                      .method = found.method,
                      .listed = false,
                      .path_like = path_like,
                      .name = sum_of(found.name)});
}

void ZipDirectory::compare(const zip::DirectoryEntry& entry) {
  const auto known = std::ranges::lower_bound(members_, entry.offset, {}, &Known::offset);
  if (known == members_.end() || known->offset != entry.offset)
    throw zip::corrupt("the zip's directory lists a member where there is none");
  if (known->listed) throw zip::corrupt("the zip's directory lists a member twice");
  const zip::Member& said = entry.member;
  const bool same = said.packed_bytes == known->packed_bytes && said.bytes == known->bytes &&
                    said.crc32 == known->crc32 && said.method == known->method &&
                    sum_of(said.name) == known->name;
  if (!same) throw zip::corrupt("the zip's directory says another thing of a member than its own header");
  using Type = zip::DirectoryEntry::Type;
  if ((entry.type == Type::link && !known->path_like) || (entry.type == Type::other && known->bytes > 0))
    throw zip::corrupt(
        "the zip's directory says that a member is a link or device, which its content cannot be");
  known->listed = true;
  ++listed_;
  if (entry.type != Type::any) special_.push_back(static_cast<std::uint64_t>(known - members_.begin()));
}

void ZipDirectory::finish() {
  if (listed_ != members_.size()) throw zip::corrupt("the zip's directory does not list all its members");
  std::vector<NameSum> names(members_.size());
  std::ranges::transform(members_, names.begin(), &Known::name);
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end())
    throw zip::corrupt("two members of the zip have the same name");
  std::ranges::sort(special_);
}

}  // namespace penstock::codecs
