// Whether and how a broken body goes on at the byte where it broke, and how a body is read again from a mark.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/http/request.h"

namespace penstock::http {

// What the first accepted answer to a GET promised about its bytes. A value.
//
// It may go on if that answer had a strong ETag, or a Last-Modified at least 60 s before its Date: then no
// second change can hide in the same second (RFC 9110 section 8.8.2.2). A weak ETag never will do.
class Resume {
 public:
  Resume() = default;  // nothing promised: not possible
  // Throws Error(corrupt) for a 206 that does not carry what `asked` asks for.
  Resume(const Request& asked, int status, const Headers& answer);

  bool possible() const { return !etag_.empty() || !last_modified_.empty(); }
  // Source::repeat_obstacle() of a body that began so. Only a strong ETag and ranges make sure: under one
  // Last-Modified there may be two versions.
  std::string_view obstacle() const;
  // Of the body, if known.
  std::optional<std::uint64_t> bytes() const;

  // `asked` for the bytes from `delivered` on. `if_match` (S3): a changed object is a 412; else If-Range.
  Request shaped(Request asked, std::uint64_t delivered, bool if_match) const;

  enum class Answer {
    go_on,  // the bytes from `delivered` on
    whole,  // Range was ignored: the same object from its beginning
    end,    // there is no byte at `delivered`
    other,  // not about ranges: the policy's to judge
  };
  // Throws Error(conflict, changed), Error(corrupt) or Error(lost, not_resumable): no byte of that answer may
  // be used.
  Answer check(int status, const Headers& answer, std::uint64_t delivered, bool if_match);

 private:
  Answer check_partial(const Headers& answer, std::uint64_t wanted, bool if_match);
  Answer check_whole(const Headers& answer) const;
  Answer check_unsatisfied(const Headers& answer, std::uint64_t wanted) const;
  bool same_validators(const Headers& answer) const;
  std::string etag_, last_modified_;            // the one to ask by; both empty if none is strong
  std::string sent_etag_, sent_last_modified_;  // as they came, weak ones too
  bool offers_ranges_ = false;
  std::uint64_t first_ = 0;             // where in the object this body begins
  std::optional<std::uint64_t> last_;   // where it was asked to end
  std::optional<std::uint64_t> total_;  // of the object
};

}  // namespace penstock::http
