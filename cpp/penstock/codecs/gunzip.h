// The stage that inflates gzip (RFC 1952), every member of it, one after the other.
//
// Failure: Error(corrupt) for a damaged or truncated stream (code truncated), for a checksum or length that
//          differs, and for bytes after the last member; zeros there pass, as tapes leave them.
//          Error(refused, code too_large) beyond the limits.
// Memory:  64 KiB of input and 90 KiB of inflating, twice while there is a mark.
#pragma once

#include <optional>

#include "penstock/codecs/codes.h"
#include "penstock/codecs/gzip_inflater.h"
#include "penstock/codecs/input.h"
#include "penstock/codecs/limits.h"
#include "penstock/streams/source.h"

namespace penstock::codecs {

class Gunzip : public Source {
 public:
  struct Options {
    Limits limits{};
    bool ignore_trailing = false;  // what is no member is read and dropped
  };
  explicit Gunzip(Source& source);
  Gunzip(Source& source, Options options);
  explicit Gunzip(Source&& source) = delete;
  Gunzip(Source&& source, Options options) = delete;

  std::size_t read(MutableBytes buffer) override;
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

 private:
  // All that mark() saves.
  struct Place {
    Input input;
    GzipInflater inflater;
    std::uint64_t members = 0, bytes_out = 0;
    bool inside = false, ended = false;
  };
  bool begin_member();
  void check_flags();
  void skip_zeros();
  void drop_rest();

  Source& source_;
  Options options_;
  Place place_;
  std::optional<Place> marked_;
};

}  // namespace penstock::codecs
