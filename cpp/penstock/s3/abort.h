// Giving up an upload, and finding those whose id nobody has.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/s3/client.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {

// Aborts as a chore of the I/O thread and returns at once: Abort, then ListParts until 404, at most three
// times (a part that was still under way may arrive after an abort). statistics() shows the result:
// uploads_aborted, or uploads_orphaned if the far end could not be made to forget it.
void abort_in_background(const std::shared_ptr<Client>& client, const UploadName& upload);

// Open uploads of exactly this key. Blocks.
std::vector<ListedUpload> uploads_of(Client& client, const std::string& key, const Call& call);

// Open uploads of all keys that begin so, as far as the server tells: MinIO does of exact keys only. Blocks.
std::vector<ListedUpload> uploads_under(Client& client, const std::string& prefix, const Call& call);

// After a lost answer to CreateMultipartUpload: aborts uploads of this key that began since `begun`, are
// unknown to this process and have no parts. Blocks. Never throws: the caller's own error matters more.
void reap_orphans(const std::shared_ptr<Client>& client, const std::string& key, WallTime begun,
                  const Call& call) noexcept;

}  // namespace penstock::s3
