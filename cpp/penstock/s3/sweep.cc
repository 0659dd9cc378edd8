#include "penstock/s3/sweep.h"

#include <algorithm>

#include "penstock/base/wait.h"
#include "penstock/s3/abort.h"

namespace penstock::s3 {
namespace {

constexpr std::chrono::seconds kEver{std::chrono::years{50}};  // all that can be subtracted from now

}  // namespace

void forget_upload(Client& client, const UploadName& upload, const Call& call) {
  try {
    client.send(abort_upload(client.address(), upload),
                {.call = call, .key = upload.key, .doing = "abort upload", .side = Side::sink});
  } catch (const Error& error) {
    if (error.kind() != Kind::missing || error.facts().code == "NoSuchBucket") throw;
  }
}

SweepReport sweep(Client& client, const std::string& prefix, const SweepOptions& options, const Call& call) {
  if (options.older_than < std::chrono::seconds{0}) throw Error{Kind::refused, "older_than is negative"};
  SweepReport report;
  const std::size_t root = client.config().prefix.size();
  const WallTime begun_before = client.server_now() - std::min(options.older_than, kEver);
  for (const ListedUpload& found : uploads_under(client, prefix, call)) {
    const bool stale = found.initiated && *found.initiated <= begun_before;
    if (!stale || client.endpoint().knows(found.upload_id)) continue;
    report.uploads.push_back({found.key.substr(root), found.upload_id, found.initiated});
    if (options.dry_run) continue;
    try {
      forget_upload(client, {found.key, found.upload_id}, call);
      ++report.aborted;
    } catch (const Error& error) {
      base::check(call, "sweep uploads");
      report.errors.emplace(found.upload_id, error);
    }
  }
  return report;
}

}  // namespace penstock::s3
