// Uploads that outlive the process that began them: what to write down of one, and how it goes on.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/s3/parts.h"
#include "penstock/s3/upload.h"
#include "penstock/store/object.h"
#include "penstock/streams/receipt.h"

namespace penstock::s3 {

// What must be known of an upload to go on with it. Not secret; made to be written down.
struct UploadState {
  std::string bucket, key, upload_id;  // the key whole, prefix included
  std::string token = {};              // "": not begun by us
  store::Mode mode = {};               // the condition under which it is to be published
  // The plan its parts follow. part_bytes 0: as the parts that are there, else the store's own.
  std::uint64_t part_bytes = 0;
  std::optional<std::uint64_t> length = {}, length_hint = {};
  std::string checksum = {};  // algorithm declared when it began, where the server does not list it
  std::optional<WallTime> begun = {};
};

// A Sink over an upload that can be gone on with.
class Resumable {
 public:
  virtual ~Resumable() = default;
  // nullopt: nothing is at the far end yet.
  virtual std::optional<UploadState> state() const = 0;
};

// Reads all pages of ListParts. Throws Error(missing) if there is no such upload; Error(refused) if its
// checksum is one that cannot be gone on with.
Resumed look_up(Client& client, const UploadState& state, std::string_view sse_customer_key,
                const Call& call);

// The object that the upload became, if its token says so: the process that began it may have been killed
// between its Complete and the answer.
// Error(corrupt): it has another length or digest than expected. Error(refused): it has none to compare.
std::optional<Receipt> published_by(Client& client, const UploadState& state,
                                    const store::WriteOptions& options, const Call& call);

// What the upload was begun with; parts as large as those that are there.
store::WriteOptions resumed_options(const Client& client, const UploadState& state, const Resumed& resumed,
                                    store::WriteOptions options);

// Parts that are there keep their size, so that they need not be sent; but a last one that is short may be so
// only because the source had ended there.
void fix_sizes(PartPlan& plan, const Resumed& resumed);

}  // namespace penstock::s3
