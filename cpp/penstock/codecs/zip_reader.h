// A zip, read from front to back by the headers before its members: stored and deflated, zip64. Its
// directory, at the end, must say the same of each, and the archive ends with it.
//
// A stored member whose length stands only behind it cannot be told from what follows; such an archive is
// spooled to disk from there on and its directory asked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/error.h"
#include "penstock/codecs/archive.h"
#include "penstock/codecs/inflater.h"
#include "penstock/codecs/input.h"
#include "penstock/codecs/zip_directory.h"
#include "penstock/codecs/zip_spool.h"
#include "penstock/streams/hash.h"

namespace penstock::codecs {

// Memory: 64 KiB of input, or a header's up to 192, 40 KiB of inflate, 64 bytes a member; 16 more once it is
// spooled. Disk:   up to Limits::spool_bytes in $TMPDIR, for a stored member of unknown length.
class ZipReader : public Archive {
 public:
  explicit ZipReader(Source& source, Limits limits = {});
  explicit ZipReader(Source&& source, Limits limits = {}) = delete;

  const Entry* next() override;
  Source& content() override { return content_; }

  // Once next() gave null: the numbers, from 0, of the entries that the directory says are links or devices.
  // Each was given as a file, of what such a thing holds: a link's is where it leads.
  // std::logic_error before.
  const std::vector<std::uint64_t>& special() const;

 private:
  class Content : public Source {
   public:
    explicit Content(ZipReader& zip) : zip_(zip) {}
    std::size_t read(MutableBytes buffer) override;
    std::optional<std::uint64_t> remaining() const override;

   private:
    ZipReader& zip_;
  };

  // The member being read.
  struct Open {
    zip::Member header;
    std::uint64_t offset = 0;                     // of its header
    std::optional<std::uint64_t> packed_bytes{};  // if that is known beforehand
    std::uint64_t packed = 0, bytes = 0;          // so far
    Hasher crc32{Algorithm::crc32};
    bool ended = false;     // the deflate stream is
    bool path_like = true;  // it could be where a link leads
  };
  const Entry* advance();
  const Entry* begin();
  void learn_size();
  void check_size(std::uint64_t bytes) const;
  std::size_t read_content(MutableBytes buffer);
  std::size_t read_stored(MutableBytes buffer);
  std::size_t read_deflated(MutableBytes buffer);
  Bytes packed_input();
  Bytes packed_here() const;
  void end_member();
  void compare_header(const zip::Member& found) const;
  void take_descriptor(const zip::Member& found);
  void skip_rest();
  void read_directory();
  void check_end(std::uint64_t directory_offset, bool locator_before);
  void check_comment(std::size_t bytes);
  void check_padding();

  Input input_;
  Limits limits_;
  Content content_{*this};
  Entry entry_;
  std::optional<Open> open_;
  Inflater inflater_;
  ZipDirectory directory_;
  std::unique_ptr<ZipSpool> spool_;
  std::uint64_t entries_ = 0, total_bytes_ = 0;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace penstock::codecs
