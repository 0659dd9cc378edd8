// One line a resource, as they were completed: what is in a bundle, and what failed.
//
// Source: docs/formats/bundles.md, "Manifest".
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/bundles/bundle.h"
#include "penstock/disk/spool.h"
#include "penstock/streams/hash.h"

namespace penstock::bundles {

// JSON without spaces, no line end. `failed`: a kind's name, and then no size or hash.
std::string line_of(const Resource& resource, const StoredResource& stored);
std::string line_of_member(const Resource& resource, const StoredResource& stored,
                           std::string_view member_of);
std::string line_of_failed(const Resource& resource, std::string_view name, std::string_view kind);
std::string line_of_skipped(const Resource& resource, std::string_view why);

// What a failed line says of an exception: the kind of an Error, "error" for what is not ours.
std::string_view kind_of(const std::exception_ptr& failure);

// A line without its name: what stands beside a resource in a file of its own.
std::string sidecar_of(const Resource& resource, const StoredResource& stored);

struct Totals {
  std::uint64_t stored = 0, failed = 0, bytes = 0;
};

// Lines that are others' after all, by their number among those of stored resources, from 0, and why.
using Withdrawn = std::map<std::uint64_t, std::string>;

// Threads: append() from any; the rest once no more is appended.
// Memory:  64 KiB; the lines are on disk, in a file without a name.
// Failure: an append that throws, as on a full disk, has appended nothing.
class Manifest {
 public:
  explicit Manifest(std::string spool_folder = {}) : spool_(std::move(spool_folder)) {}

  void append_stored(std::string_view line, std::uint64_t bytes);
  void append_failed(std::string_view line);
  void append_note(std::string_view line);
  // All of a group's; in place of a withdrawn one a line that it was skipped.
  void append(const Manifest& others, const Withdrawn& withdrawn = {});
  // The line of a resource that holds others, and behind it theirs, which are counted instead of it.
  void append_container(std::string_view line, const Manifest& members);

  Totals totals() const;
  std::string sha256() const;
  std::uint64_t size() const;
  const disk::Spool& spool() const { return spool_; }  // once no more is appended

 private:
  template <class Lines>
  void append_whole(Lines lines);
  void append_line(std::string_view line);
  void append_all(const Manifest& others);
  void append_but(const Manifest& others, const Withdrawn& withdrawn);
  void count(const Totals& others);

  mutable std::mutex mutex_;
  disk::Spool spool_;
  Hasher hasher_{Algorithm::sha256};
  Totals totals_;
};

// The lines of a manifest, front to back. Memory: 64 KiB and a line. Borrows the spool.
class ManifestLines {
 public:
  explicit ManifestLines(const disk::Spool& manifest) : lines_(manifest) {}
  std::optional<std::string> next();

 private:
  disk::SpoolSource lines_;
  std::string ahead_;
  std::size_t at_ = 0;
};

// The last line of something that failed.
std::optional<std::string> last_failed(const Manifest& manifest);

// The names of what is stored by itself, or of the members of such, front to back.
class StoredNames {
 public:
  enum class Of { itself, members };
  explicit StoredNames(const disk::Spool& manifest, Of of = Of::itself) : lines_(manifest), of_(of) {}
  std::optional<std::string> next();

 private:
  ManifestLines lines_;
  Of of_;
};

}  // namespace penstock::bundles
