#include "penstock/s3/s3_store.h"

#include <stdexcept>

#include "penstock/s3/abort.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/client.h"
#include "penstock/s3/copy.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/get_file.h"
#include "penstock/s3/list.h"
#include "penstock/s3/piece.h"
#include "penstock/s3/probe.h"
#include "penstock/s3/reader.h"
#include "penstock/s3/relay.h"
#include "penstock/s3/remove_many.h"
#include "penstock/s3/writer.h"
#include "penstock/store/level_listing.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/stages.h"

namespace penstock::s3 {
namespace {

// S3 was busy deciding between two conditional writes of the key: neither won, and ours may be tried again.
bool was_a_draw(const Error& error) {
  return error.facts().status == 409 && error.facts().code == "ConditionalRequestConflict";
}

void check_method(const std::string& method) {
  if (method == "GET" || method == "PUT" || method == "HEAD" || method == "DELETE") return;
  throw Error{Kind::refused, "presign takes GET, PUT, HEAD or DELETE"};
}

// The state is of this bucket, and of a key that this store may write.
void check_state(const Client& client, const UploadState& state) {
  const Config& config = client.config();
  if (state.bucket == config.bucket && state.key.starts_with(config.prefix) && !state.upload_id.empty())
    return;
  throw Error{Kind::refused,
              "the upload of " + state.key + " in " + state.bucket + " is not one of this store, " +
                  client.location(config.prefix),
              {.side = Side::sink, .doing = "resume upload"}};
}

}  // namespace

struct S3Store::State {
  std::shared_ptr<Client> client;
};

S3Store::S3Store(Config config) : state_(std::make_shared<State>()) {
  state_->client = std::make_shared<Client>(std::move(config));
}

S3Store::S3Store(std::shared_ptr<State> state) : state_(std::move(state)) {}

S3Store::~S3Store() = default;

std::optional<store::ObjectMeta> S3Store::find(std::string_view key, const Call& call) {
  Client& s3 = *state_->client;
  const std::string full = s3.full_key(key);
  try {
    const http::Response response = s3.send(s3.head(full, {.sse_customer_key = s3.customer_key()}),
                                            {.call = s3.with_deadline(call), .key = full, .doing = "HEAD"});
    return meta_from(response.headers, key);
  } catch (const Error& error) {
    if (error.kind() == Kind::missing) return std::nullopt;
    throw;
  }
}

std::unique_ptr<store::ObjectSource> S3Store::get(std::string_view key, const store::ReadOptions& options,
                                                  const Call& call) {
  return open_object(state_->client, key, options, state_->client->with_deadline(call));
}

void S3Store::submit_get(std::string_view key, const store::ReadOptions& options, const Call& call,
                         const std::function<void(Got)>& done) {
  submit_piece(state_->client, key, options, state_->client->with_deadline(call), done);
}

bool S3Store::submits(const store::ReadOptions& options) const {
  return is_piece(options);
}

Receipt S3Store::download(std::string_view key, const std::string& path, const store::FileOptions& options,
                          const Call& call, ToldTransfer& told) {
  const Call bounded = state_->client->with_deadline(call);
  if (auto got = get_file_in_lanes(state_->client, key, path, options, bounded, told)) return *std::move(got);
  return ObjectStore::download(key, path, options, bounded, told);
}

std::unique_ptr<Sink> S3Store::open_writer(std::string_view key, const store::WriteOptions& options,
                                           const Call& call) {
  Client& s3 = *state_->client;
  return std::make_unique<ObjectWriter>(state_->client, s3.full_key(key), options, s3.with_deadline(call));
}

Receipt S3Store::upload(std::string_view key, Source& source, const store::WriteOptions& options,
                        const Call& call, ToldTransfer& told) {
  // Relayed, the source's one mark is the part's.
  Client& s3 = *state_->client;
  const bool relayed =
      options.relay && relay_obstacle(s3, s3.capabilities(s3.with_deadline(call)), options, source).empty();
  const bool repeatable = source.rewindable() && !relayed;
  if (repeatable) source.mark();
  try {
    return ObjectStore::upload(key, source, options, call, told);
  } catch (const Error& error) {
    if (!repeatable || !was_a_draw(error)) throw;
  }
  source.rewind();
  return ObjectStore::upload(key, source, options, call, told);
}

Receipt S3Store::put(std::string_view key, Bytes bytes, const store::WriteOptions& options,
                     const Call& call) {
  Client& s3 = *state_->client;
  store::WriteOptions sized = options;
  if (!sized.length) sized.length = bytes.size();
  if (call.progress) {
    MemorySource source{bytes};
    return put(key, source, sized, call);
  }
  const auto once = [&] {
    return ObjectWriter{state_->client, s3.full_key(key), sized, s3.with_deadline(call)}.put(bytes);
  };
  try {
    return once();
  } catch (const Error& error) {
    if (!was_a_draw(error)) throw;
  }
  return once();
}

void S3Store::drain(const Call& call) {
  state_->client->http().drain(call);
}

bool S3Store::relays(const store::WriteOptions& options, const Call& call) {
  if (!options.relay || !options.length) return false;
  Client& s3 = *state_->client;
  return relay_obstacle(s3, s3.capabilities(s3.with_deadline(call)), options, *options.length).empty();
}

std::unique_ptr<store::Listing> S3Store::list(std::string_view prefix, const store::ListOptions& options,
                                              const Call& call) {
  return list_objects(state_->client, prefix, {}, options, state_->client->with_deadline(call));
}

std::unique_ptr<store::Listing> S3Store::list_with_delimiter(std::string_view prefix,
                                                             std::string_view delimiter,
                                                             const store::ListOptions& options,
                                                             const Call& call) {
  store::check_delimiter(delimiter);
  return list_objects(state_->client, prefix, delimiter, options, state_->client->with_deadline(call));
}

void S3Store::remove(std::string_view key, const store::RemoveOptions& options, const Call& call) {
  Client& s3 = *state_->client;
  const std::string full = s3.full_key(key);
  try {
    s3.send(delete_object(s3.address(), full, options.if_match),
            {.call = s3.with_deadline(call), .key = full, .doing = "remove", .side = Side::sink});
  } catch (const Error& error) {
    const bool absent = error.kind() == Kind::missing && error.facts().code != "NoSuchBucket";
    if (!absent) throw;
  }
}

store::RemoveReport S3Store::remove_many(std::span<const std::string> keys, const Call& call) {
  return s3::remove_many(state_->client, keys, state_->client->with_deadline(call));
}

Receipt S3Store::copy_from(store::ObjectStore& source, std::string_view from, std::string_view to,
                           const store::WriteOptions& options, const Call& call) {
  Client& s3 = *state_->client;
  const auto* other = dynamic_cast<S3Store*>(&source);
  if (other && s3.reaches(*other->state_->client)) {
    const Client& theirs = *other->state_->client;
    const CopySource object{.bucket = theirs.config().bucket,
                            .key = theirs.full_key(from),
                            .version_id = options.from_version,
                            .etag = options.from_if_match,
                            .sse_customer_key = theirs.customer_key(options.from_sse_customer_key)};
    const Call bounded = s3.with_deadline(call);
    const auto once = [&] {
      return copy_on_server(state_->client, object, s3.full_key(to), options, bounded);
    };
    std::optional<Receipt> copied;
    try {
      copied = once();
    } catch (const Error& error) {
      if (!was_a_draw(error)) throw;
      copied = once();
    }
    if (copied) return *std::move(copied);
  }
  store::WriteOptions writing = options;
  if (other && writing.tags.empty()) {
    Client& theirs = *other->state_->client;
    writing.tags = tags_of(theirs, theirs.full_key(from), options.from_version, theirs.with_deadline(call));
  }
  return ObjectStore::copy_from(source, from, to, writing, call);
}

std::shared_ptr<store::ObjectStore> S3Store::with_bucket(std::string_view bucket) {
  auto state = std::make_shared<State>();
  state->client = state_->client->with_bucket(bucket);
  return std::shared_ptr<S3Store>(new S3Store{std::move(state)});
}

std::string S3Store::location(std::string_view key) const {
  return state_->client->location(state_->client->config().prefix + std::string{key});
}

std::pair<std::string, std::string> S3Store::place(std::string_view key) const {
  const Config& config = state_->client->config();
  return {config.bucket, config.prefix + std::string{key}};
}

std::string S3Store::presign(const std::string& method, std::string_view key, std::chrono::seconds expires,
                             const http::Headers& headers,
                             const std::vector<std::pair<std::string, std::string>>& query,
                             const Call& call) {
  check_method(method);
  for (const auto& [name, value] : headers) http::check_header(name, value);
  Client& s3 = *state_->client;
  http::Headers enforced = headers;
  // Without it a PUT would store what the store's key does not encrypt, and a GET be refused.
  if (method != "DELETE" && !carries_customer_key(headers)) {
    add_headers(enforced, customer_key_headers(s3.customer_key()));
  }
  return s3.presign(method, s3.full_key(key), expires, enforced, query, s3.with_deadline(call));
}

PostForm S3Store::presign_post(std::string_view key_or_prefix, const PostOptions& options, const Call& call) {
  Client& s3 = *state_->client;
  return s3::presign_post(s3, s3.full_key(key_or_prefix), options, s3.with_deadline(call));
}

std::vector<OpenUpload> S3Store::list_uploads(std::string_view key, const Call& call) {
  Client& s3 = *state_->client;
  std::vector<OpenUpload> found;
  for (ListedUpload& upload : uploads_of(s3, s3.full_key(key), s3.with_deadline(call))) {
    found.push_back({std::string{key}, std::move(upload.upload_id), upload.initiated});
  }
  return found;
}

void S3Store::abort_upload(const OpenUpload& upload, const Call& call) {
  Client& s3 = *state_->client;
  forget_upload(s3, {s3.full_key(upload.key), upload.upload_id}, s3.with_deadline(call));
}

std::uint64_t S3Store::abort_uploads(std::string_view prefix, const Call& call) {
  Client& s3 = *state_->client;
  const Call bounded = s3.with_deadline(call);
  const auto found = uploads_under(s3, s3.full_key(prefix), bounded);
  for (const ListedUpload& upload : found) forget_upload(s3, {upload.key, upload.upload_id}, bounded);
  return found.size();
}

std::uint64_t S3Store::abort_uploads_of(std::string_view key, const Call& call) {
  Client& s3 = *state_->client;
  const Call bounded = s3.with_deadline(call);
  std::uint64_t aborted = 0;
  for (const ListedUpload& upload : uploads_of(s3, s3.full_key(key), bounded)) {
    forget_upload(s3, {upload.key, upload.upload_id}, bounded);
    ++aborted;
  }
  return aborted;
}

SweepReport S3Store::sweep_uploads(std::string_view prefix, const SweepOptions& options, const Call& call) {
  Client& s3 = *state_->client;
  return sweep(s3, s3.config().prefix + std::string{prefix}, options, s3.with_deadline(call));
}

Receipt S3Store::resume_upload(const UploadState& state, Source& source, const store::WriteOptions& options,
                               const Call& call) {
  Client& s3 = *state_->client;
  check_state(s3, state);
  const Call bounded = s3.with_deadline(call);
  ToldTransfer told{call.progress, source.remaining()};
  return told.run([&] {
    try {
      Resumed resumed = look_up(s3, state, options.sse_customer_key, bounded);
      ObjectWriter writer{state_->client, state, std::move(resumed), options, bounded};
      Meter metered{source, told.for_call()};
      writer.write_from(metered);
      told.enter(TransferState::publishing);
      return writer.finish();
    } catch (const Error& error) {
      // Not by its code alone: a 404 may come without a body.
      if (error.kind() != Kind::missing || error.facts().code == "NoSuchBucket") throw;
      if (auto published = published_by(s3, state, options, bounded)) return *std::move(published);
      throw;
    }
  });
}

Capabilities S3Store::capabilities(const Call& call) {
  return state_->client->capabilities(state_->client->with_deadline(call));
}

Capabilities S3Store::probe(const Call& call) {
  const Call bounded = state_->client->with_deadline(call);
  s3::probe(state_->client, bounded);
  return state_->client->capabilities(bounded);
}

const Config& S3Store::config() const {
  return state_->client->config();
}

http::Client& S3Store::client() const {
  return state_->client->http();
}

}  // namespace penstock::s3
