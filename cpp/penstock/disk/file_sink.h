// A file as a Sink: hidden while it is written, visible whole after finish().
//
// Life:     as every Sink; dying unfinished leaves nothing, and what was there before stays.
// Memory:   none: bytes go straight to the system.
// Failure:  Error(busy, code no_space) when the disk is full; Error(conflict) from finish() when `refuse`
//           finds the name taken; Error(in_doubt) when only the last fsync failed.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/disk/staged_file.h"
#include "penstock/streams/sink.h"

namespace penstock::disk {

class FileSink : public Sink {
 public:
  // A trusted path; its folder must exist. A link at the path itself is replaced, never written through.
  explicit FileSink(const std::string& path, Existing existing = Existing::replace, Call call = {});
  FileSink(const Folder& folder, std::string_view name, Existing existing = Existing::replace,
           Call call = {});

  void write(Bytes bytes) override;
  Receipt finish() override;
  void abort(std::string_view why) noexcept override;

 private:
  StagedFile file_;
  Existing existing_;
  Call call_;
  SteadyTime began_ = std::chrono::steady_clock::now();
  bool ended_ = false;
};

// The folder a trusted path is in; "." for a bare name.
std::string parent_of(const std::string& path);

// "file:///a/b%20c" for "/a/b c".
std::string file_url(std::string_view path);

}  // namespace penstock::disk
