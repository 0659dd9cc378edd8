// A bucket as an ObjectStore, with what S3 has besides: presigned URLs and the uploads of a key.
//
// Threads:  shared freely.
// Memory:   an upload holds its parts until they are acknowledged: part size x parts in flight, from the
//           Budget.
// Failure:  by kind; a lost answer to the publishing request is settled by token before in_doubt is said.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "penstock/s3/config.h"
#include "penstock/s3/post_form.h"
#include "penstock/s3/provider.h"
#include "penstock/s3/resume.h"
#include "penstock/s3/sweep.h"
#include "penstock/store/object_store.h"

namespace penstock::s3 {

class S3Store : public store::ObjectStore {
 public:
  explicit S3Store(Config config);
  ~S3Store() override;

  std::optional<store::ObjectMeta> find(std::string_view key, const Call& call = {}) override;
  std::unique_ptr<store::ObjectSource> get(std::string_view key, const store::ReadOptions& options = {},
                                           const Call& call = {}) override;
  // The same without a thread that waits: `done` is called once, on the I/O thread, or at once if the client
  // is closed, and must not throw. For a range that submits(): one that is fetched whole.
  using Got = std::variant<std::unique_ptr<store::ObjectSource>, Error>;
  void submit_get(std::string_view key, const store::ReadOptions& options, const Call& call,
                  const std::function<void(Got)>& done);
  bool submits(const store::ReadOptions& options) const;
  std::unique_ptr<Sink> open_writer(std::string_view key, const store::WriteOptions& options = {},
                                    const Call& call = {}) override;
  using ObjectStore::put;
  // Sends slices of `bytes`, borrowed until return; nothing is copied.
  Receipt put(std::string_view key, Bytes bytes, const store::WriteOptions& options = {},
              const Call& call = {}) override;
  std::unique_ptr<store::Listing> list(std::string_view prefix = {}, const store::ListOptions& options = {},
                                       const Call& call = {}) override;
  std::unique_ptr<store::Listing> list_with_delimiter(std::string_view prefix, std::string_view delimiter,
                                                      const store::ListOptions& options = {},
                                                      const Call& call = {}) override;
  void remove(std::string_view key, const store::RemoveOptions& options = {}, const Call& call = {}) override;
  store::RemoveReport remove_many(std::span<const std::string> keys, const Call& call = {}) override;
  // By the server, where it can; through here where it cannot: from another endpoint, or an empty object
  // under a condition, which only the Complete of an upload keeps.
  Receipt copy_from(store::ObjectStore& source, std::string_view from, std::string_view to,
                    const store::WriteOptions& options = {}, const Call& call = {}) override;
  std::uint64_t abort_uploads(std::string_view prefix, const Call& call = {}) override;
  // All of the store's http::Client, which others may use too.
  void drain(const Call& call = {}) override;
  bool relays(const store::WriteOptions& options, const Call& call = {}) override;
  std::uint64_t abort_uploads_of(std::string_view key, const Call& call = {}) override;
  std::shared_ptr<store::ObjectStore> with_bucket(std::string_view bucket) override;
  std::string location(std::string_view key) const override;
  std::pair<std::string, std::string> place(std::string_view key) const override;

  // GET, PUT, HEAD, DELETE. `headers` given are enforced: whoever uses the URL must send them, and those of
  // the store's sse_customer_key, which are not in the URL.
  std::string presign(const std::string& method, std::string_view key, std::chrono::seconds expires,
                      const http::Headers& headers = {},
                      const std::vector<std::pair<std::string, std::string>>& query = {},
                      const Call& call = {});

  // A form for an upload by POST; a key that ends in '/' is a prefix, completed by the file's name. Refused
  // where the store has a sse_customer_key, which the form would show, unless `fields` say one.
  PostForm presign_post(std::string_view key_or_prefix, const PostOptions& options = {},
                        const Call& call = {});

  std::vector<OpenUpload> list_uploads(std::string_view key, const Call& call = {});  // of exactly this key
  void abort_upload(const OpenUpload& upload, const Call& call = {});
  // Uploads under the prefix that began long ago; aborts them unless options.dry_run.
  SweepReport sweep_uploads(std::string_view prefix, const SweepOptions& options = {}, const Call& call = {});
  // Goes on with an upload whose state a writer of open_writer() gave (Resumable), or of another program.
  // `source` gives the whole object again; parts that are there with equal size and checksum are not sent.
  // If it fails the upload stays open. One that turns out to be complete already is success.
  Receipt resume_upload(const UploadState& state, Source& source, const store::WriteOptions& options = {},
                        const Call& call = {});

  // The provider row in force. May ask the endpoint (HeadBucket), once.
  Capabilities capabilities(const Call& call = {});
  // Finds out by trying whether conditions on writes are honoured; the row in force from then on.
  Capabilities probe(const Call& call = {});
  const Config& config() const;
  http::Client& client() const;

 protected:
  // Above 8 MiB by options.lanes ranges at once, each resumed alone.
  Receipt download(std::string_view key, const std::string& path, const store::FileOptions& options,
                   const Call& call, ToldTransfer& told) override;
  // Plays a draw between two conditional writers again, if the source can be read again.
  Receipt upload(std::string_view key, Source& source, const store::WriteOptions& options, const Call& call,
                 ToldTransfer& told) override;

 private:
  struct State;
  explicit S3Store(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace penstock::s3
