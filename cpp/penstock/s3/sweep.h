// Uploads that nobody will finish: found by their age, and aborted if asked to.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "penstock/s3/client.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {

struct OpenUpload {
  std::string key, upload_id;
  std::optional<WallTime> initiated;
};

struct SweepOptions {
  std::chrono::seconds older_than = std::chrono::hours{24};  // by the server's clock
  bool dry_run = true;                                       // only look
};

struct SweepReport {
  std::vector<OpenUpload> uploads;      // the stale ones; keys without the store's prefix
  std::uint64_t aborted = 0;            // of them
  std::map<std::string, Error> errors;  // by upload id
};

// `prefix` is whole. Those this store and its siblings by with_bucket() have open are never among them; those
// of other stores and programs are, so that
// `older_than` must be longer than any upload may take. MinIO lists only uploads of exactly this key.
SweepReport sweep(Client& client, const std::string& prefix, const SweepOptions& options, const Call& call);

// Aborts one; that it is gone already is success.
void forget_upload(Client& client, const UploadName& upload, const Call& call);

}  // namespace penstock::s3
