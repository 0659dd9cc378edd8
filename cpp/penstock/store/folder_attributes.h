// What a file does not keep by itself: content headers, metadata and digests, in one extended attribute.
#pragma once

#include <string>

#include <sys/stat.h>

#include "penstock/store/object.h"

namespace penstock::store {

// Error(refused, code too_large) if they do not fit the 3,800 bytes that ext4 has room for.
std::string encode_attributes(const ObjectMeta& meta);

// Sets user.penstock; a file system without such attributes loses them silently.
void write_attributes(int fd, const ObjectMeta& meta, const std::string& path);

// Adds what user.penstock says. Digests only if the file is still as it was published: same size, same
// modification time. An attribute that does not parse is as good as none: it is not the object's bytes.
void read_attributes(int fd, const struct stat& status, ObjectMeta& meta);

// Inode, size and modification time, quoted.
std::string etag_of(const struct stat& status);
WallTime modified_at(const struct stat& status);

}  // namespace penstock::store
