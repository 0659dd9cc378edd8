#include "penstock/bundles/object_staging.h"

#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "penstock/base/units.h"
#include "penstock/base/utf8.h"
#include "penstock/base/uuid.h"
#include "penstock/bundles/conflict.h"
#include "penstock/bundles/marker_source.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/uploads.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kMaxUrlBytes = 1024;
constexpr std::size_t kMostWithdrawn = 10'000;
constexpr const char* kJsonType = "application/json";
// Manifest and marker grow with the bundle, what they need of memory does not: the smallest parts, one at a
// time.
constexpr std::uint64_t kDocumentPartBytes = 5_MiB;

void refuse_controls(std::string_view name, std::string_view value) {
  if (value.find_first_of(std::string_view{"\r\n\0", 3}) == value.npos) return;
  throw Error{Kind::refused,
              fmt::format("a resource's {} holds a line end or a NUL, which no metadata can", name),
              {.side = Side::sink, .doing = "add a resource"}};
}

// What a header can carry: bytes that are no ASCII as %XX.
std::string ascii_url(std::string_view url) {
  std::string out;
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte > 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::map<std::string, std::string> metadata_of(const Resource& resource) {
  refuse_controls("URL", resource.url);
  std::map<std::string, std::string> metadata{{"url", ascii_url(resource.url)},
                                              {"status_code", std::to_string(resource.status_code)}};
  if (metadata["url"].size() > kMaxUrlBytes) {
    metadata["url"].resize(kMaxUrlBytes);
    metadata["url_truncated"] = "1";
  }
  if (resource.content_type && !resource.content_type->empty()) {
    refuse_controls("content type", *resource.content_type);
    metadata["content_type"] = *resource.content_type;
  }
  return metadata;
}

// A claim or note of a bundle with a marker says nothing to anybody: what fails is left to the next try, to
// recovery and to sweep().
bool succeeds(const std::function<void()>& remove) noexcept {
  try {
    remove();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool is_marker_of(const std::string& token, const store::ObjectMeta& marker) {
  const auto found = marker.metadata.find(std::string{kMarkerToken});
  return found != marker.metadata.end() && found->second == token;
}

ObjectStaging::ObjectStaging(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<PendingLog> uploads,
                             Of of)
    : store_(std::move(store)),
      uploads_(std::move(uploads)),
      of_(std::move(of)),
      token_(random_uuid()),
      pid_(::getpid()) {}

bool ObjectStaging::is_of_this_process() const {
  return pid_ == ::getpid();
}

std::string ObjectStaging::base_name(const Resource& resource) const {
  return by_basename(of_.layout) ? resource_basename(resource.url) : resource_name(resource.url);
}

// Keys by basename are another program's too, which does not cut them.
std::size_t ObjectStaging::max_name_bytes() const {
  return by_basename(of_.layout) ? std::numeric_limits<std::size_t>::max() : kMaxNameBytes;
}

// Before a multipart upload begins, so that who finds it open can tell whose it is.
void ObjectStaging::note_upload(const Call& call) {
  const base::Turn turn{turns_, call, "add a resource"};
  if (noted_) return;
  uploads_->put(of_.recipe_id, of_.ref.bid, upload_note(of_.ref.bid, of_.keys), call);
  noted_ = true;
}

void ObjectStaging::put(const std::string& name, const Resource& resource, Source& body, const Call& call) {
  {
    const std::lock_guard lock{mutex_};
    std::erase(withdrawn_, name);
  }
  store::WriteOptions options{.length = body.remaining(),
                              .content_type = resource.content_type.value_or(""),
                              .metadata = metadata_of(resource),
                              .reap = true,
                              .before_upload = [&] { note_upload(call); }};
  store_->put(of_.keys.resource(name), body, options, call);
}

void ObjectStaging::describe(const Resource& resource, const StoredResource& stored, const Call& call) {
  if (of_.keys.sidecars.empty()) return;
  put_document(of_.keys.sidecars + stored.name + ".metadata.json", sidecar_of(resource, stored), call);
}

void ObjectStaging::put_document(const std::string& key, std::string_view text, const Call& call) {
  store_->put(key, as_bytes(text), {.content_type = kJsonType}, call);
}

// All that an add may have put under a name.
std::vector<std::string> ObjectStaging::keys_put_for(const std::string& name) const {
  std::vector<std::string> keys{of_.keys.resource(name)};
  if (!of_.keys.sidecars.empty()) keys.push_back(of_.keys.sidecars + name + ".metadata.json");
  return keys;
}

// What was put and must not stay, or may have been put. A key that cannot be removed is no part of the
// bundle: the manifest does not name it.
void ObjectStaging::withdraw(const std::string& name) noexcept {
  if (!is_of_this_process()) return;
  const Call bounded{.deadline = Deadline::after(kWithdrawsWithin)};
  try {
    {
      const std::lock_guard lock{mutex_};
      withdrawn_.push_back(name);
      if (withdrawn_.size() > kMostWithdrawn) withdrawn_.pop_front();
    }
    for (const std::string& key : keys_put_for(name)) store_->remove(key, {}, bounded);
  } catch (const std::exception&) {
  }
}

// What was cancelled while it was published is settled behind us, and a server may carry out a put whose
// connection was broken off after the removal that followed it. No put is under way by now, so nothing that
// is wanted goes.
void ObjectStaging::withdraw_again(const Call& call) {
  if (withdrawn_.empty()) return;
  try {
    std::vector<std::string> keys;
    for (const std::string& name : std::exchange(withdrawn_, {}))
      for (std::string& key : keys_put_for(name)) keys.push_back(std::move(key));
    const Call bounded{.stop = call.stop, .deadline = Deadline::after(kWithdrawsWithin)};
    try {
      store_->drain(bounded);
    } catch (const Error&) {  // what others of this client are at takes longer
    }
    store_->remove_many(keys, {.stop = call.stop, .deadline = Deadline::after(kWithdrawsWithin)});
  } catch (const std::exception&) {
  }
}

store::WriteOptions ObjectStaging::document(const char* content_type, const Call& call) {
  return {.content_type = content_type,
          .part_bytes = kDocumentPartBytes,
          .max_parts_in_flight = 1,
          .before_upload = [this, call] { note_upload(call); }};
}

void ObjectStaging::seal(const Sealed& sealed, const Manifest& manifest, const Call& call) {
  withdraw_again(call);
  manifest_ = &manifest;
  marker_text_ = marker_text(sealed, of_.keys.marker);
  disk::SpoolSource lines{manifest.spool()};
  store::WriteOptions options = document("application/x-ndjson", call);
  options.length = manifest.size();
  store_->put(of_.keys.manifest, lines, options, call);
}

Marker ObjectStaging::marker() const {
  auto [bucket, key] = store_->place(of_.keys.marker);
  return {.bucket = std::move(bucket), .key = of_.keys.marker, .token = token_};
}

void ObjectStaging::commit(const Call& call) {
  MarkerSource text{marker_text_, of_.keys, manifest_->spool()};
  try {
    store::WriteOptions options = document(kJsonType, call);
    options.mode = store::Mode::create();
    options.metadata = {{std::string{kMarkerToken}, token_}};
    store_->put(of_.keys.marker, text, options, call);
  } catch (const Error& error) {
    if (error.kind() != Kind::conflict) throw;
    if (marker_is_ours(call)) return;  // of a try before
    Error taken = already_completed(of_.ref.bid);
    taken.facts().doing = "publish a bundle";
    taken.facts().subject = store_->location(of_.keys.marker);
    taken.facts().cause = std::make_shared<Error>(error);
    throw taken;
  }
}

// Asked once a marker is there: until that is known this bundle may be published.
bool ObjectStaging::marker_is_ours(const Call& call) {
  try {
    const auto there = store_->find(of_.keys.marker, call);
    return there && is_marker_of(token_, *there);
  } catch (const Error& error) {
    throw Error{Kind::in_doubt,
                fmt::format("bundle {} has a marker, and whose it is could not be found out: {}", of_.ref.bid,
                            error.message()),
                {.side = Side::sink,
                 .doing = "publish a bundle",
                 .subject = store_->location(of_.keys.marker),
                 .code = error.facts().code,
                 .cause = std::make_shared<Error>(error)}};
  }
}

void ObjectStaging::clean_up(const Call& call) noexcept {
  if (!is_of_this_process()) return;
  if (of_.claim && succeeds([&] { of_.claim->release(call); })) of_.claim.reset();
  if (noted_ && succeeds([&] { uploads_->remove(of_.recipe_id, of_.ref.bid, call); })) noted_ = false;
}

// Finished objects stay, unmarked: they may be many. sweep() can remove them, and so does who next starts a
// bundle of this chosen BID.
void ObjectStaging::discard(std::string_view) noexcept {
  clean_up({.deadline = Deadline::after(kWithdrawsWithin)});
}

}  // namespace penstock::bundles
