// A tar, read from front to back: ustar, GNU (long names, large sizes) and pax. Sparse files are refused.
//
// The end is a block of zeros, after which nothing but zeros may come: a tar cut between two entries would
// look whole otherwise.
#pragma once

#include <optional>
#include <string>

#include "penstock/base/error.h"
#include "penstock/codecs/archive.h"
#include "penstock/codecs/tar_header.h"

namespace penstock::codecs {

// Memory: names and pax headers, up to 64 KiB each: those of the entry, and those of the whole archive.
class TarReader : public Archive {
 public:
  explicit TarReader(Source& source, Limits limits = {});
  explicit TarReader(Source&& source, Limits limits = {}) = delete;

  const Entry* next() override;
  Source& content() override { return content_; }

 private:
  class Content : public Source {
   public:
    explicit Content(TarReader& tar) : tar_(tar) {}
    std::size_t read(MutableBytes buffer) override;
    std::optional<std::uint64_t> remaining() const override { return tar_.left_; }

   private:
    TarReader& tar_;
  };

  // What the headers before an entry's own say of it.
  struct Before {
    std::optional<std::string> name{}, link_to{};
    PaxRecords pax{};
    bool of_an_entry = false;  // not only global
    int headers = 0;
  };

  const Entry* advance();
  bool read_block(MutableBytes block);
  std::string read_text(std::uint64_t bytes);
  bool note(const TarHeader& header, Before& before);
  const Entry* begin(const TarHeader& header, const Before& before);
  void take_size(std::uint64_t bytes);
  void skip_rest();
  void drop(std::uint64_t bytes);
  void check_end();

  Source& source_;
  Limits limits_;
  Content content_{*this};
  Entry entry_;
  PaxRecords for_all_;
  std::uint64_t left_ = 0, padding_ = 0, entries_ = 0, total_bytes_ = 0;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace penstock::codecs
