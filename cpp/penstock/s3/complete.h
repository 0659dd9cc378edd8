// CompleteMultipartUpload, settled: the outcome is that it happened, that it did not, or Error(in_doubt).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "penstock/s3/settle.h"
#include "penstock/s3/verbs.h"
#include "penstock/store/object.h"

namespace penstock::s3 {

// A part as the far end acknowledged it.
struct SentPart {
  int number = 0;
  std::uint64_t bytes = 0;
  std::string etag;
  std::string checksum;  // base64; "" if none was sent
};

// An upload whose parts are all there and verified.
struct Publication {
  UploadName upload;
  Identity identity;
  store::Mode mode;
  std::vector<SentPart> parts;                  // from 1, consecutive
  std::optional<Algorithm> part_checksum = {};  // of SentPart::checksum; unset: identity's
  bool keeps_upload = false;                    // a definite failure leaves it open
  bool confirm = false;                         // success is looked for before it is believed
};

// Publishes as a chore of the I/O thread, by the table of s3.md 4.5: a lost answer is settled by HEAD and by
// sending Complete again; a definite failure aborts the upload, and so does the last of several lost answers:
// else a late Complete could still publish it. `done` runs once, on the I/O thread.
void complete_and_settle(const std::shared_ptr<Client>& client, Publication publication,
                         std::function<void(PublishOutcome)> done);

}  // namespace penstock::s3
