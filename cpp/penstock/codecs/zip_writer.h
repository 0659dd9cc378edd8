// A zip, written from front to back to a sink that cannot seek. zip64 where something does not fit without.
//
// Life:    add()*, then finish() - the directory, then the sink's own finish() - or abort(). Dying unfinished
//          aborts.
// Threads: one caller at a time.
// Memory:  the packed bytes of a member up to kWholeBytes, which gets its sizes before it as every reader
//          likes them; of a larger one only what is on its way, its sizes come behind it. Of the directory
//          1 MiB, the rest is spooled to disk.
// Failure: what a member's content throws leaves the zip as it was while the member is at most kWholeBytes.
//          Of a larger one bytes are out: the zip is aborted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/codecs/zip_packer.h"
#include "penstock/disk/spool.h"
#include "penstock/streams/sink.h"

namespace penstock::codecs {

class ZipWriter {
 public:
  static constexpr std::size_t kWholeBytes = 8 << 20;  // packed

  struct Options {
    int level = 6;               // 0..9, as zlib's
    std::string spool_folder{};  // "": $TMPDIR, else /tmp
  };
  struct Entry {
    std::string name{};                  // unique: who reads the zip may refuse two of one name
    std::optional<WallTime> modified{};  // unset: 1980-01-01, so that equal contents make equal zips
  };

  explicit ZipWriter(Sink& to);
  ZipWriter(Sink& to, Options options);
  explicit ZipWriter(Sink&& to) = delete;
  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // All of `content`. Throws Error(refused, unsafe_name) for a name that Archive would refuse, that only a
  // folder can have, or that is no UTF-8; and what the content and the sink throw.
  ZipFacts add(const Entry& entry, Source& content);
  // A member packed beforehand, all of it. std::invalid_argument if it is not as long as the facts say; a
  // source shows that too late, the zip is aborted.
  void append(const Entry& entry, const ZipFacts& facts, Source& packed);
  void append(const Entry& entry, const ZipFacts& facts, Bytes packed);
  // A member of which `begun` is packed, and the rest comes.
  ZipFacts append(const Entry& entry, Source& begun, ZipPacker& rest);
  ZipFacts append(const Entry& entry, Bytes begun, ZipPacker& rest);

  Receipt finish();
  void abort(std::string_view why) noexcept;

  std::uint64_t entries() const { return entries_; }

 private:
  template <class Step>
  auto unless_it_fails(Step step);
  template <class Put>
  void append_whole(const Entry& entry, const ZipFacts& facts, Put put);
  void require_open() const;
  void write(Bytes bytes);
  void write_from(Source& source);
  void list(const Entry& entry, const ZipFacts& facts, std::uint64_t offset, bool sizes_follow);
  void spool_directory();
  void write_directory();

  Sink& to_;
  Options options_;
  std::string directory_;  // what is not spooled
  std::optional<disk::Spool> spooled_;
  std::uint64_t at_ = 0, entries_ = 0;
  enum class State { open, finished, aborted } state_ = State::open;
};

}  // namespace penstock::codecs
