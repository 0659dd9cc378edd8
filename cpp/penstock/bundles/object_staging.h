// A bundle's objects, which nobody trusts until their marker is there. Internal to the room.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/turn.h"
#include "penstock/bundles/claim.h"
#include "penstock/bundles/layout.h"
#include "penstock/bundles/pending_log.h"
#include "penstock/bundles/staging.h"
#include "penstock/store/object_store.h"

namespace penstock::bundles {

// The metadata name of a marker's token: by it a bundle knows its own after a lost answer.
inline constexpr std::string_view kMarkerToken = "penstock-bundle";
bool is_marker_of(const std::string& token, const store::ObjectMeta& marker);

class ObjectStaging : public Staging {
 public:
  struct Of {
    BundleRef ref{};
    std::string recipe_id{};
    KeyLayout layout = KeyLayout::doc;
    BundleKeys keys{};
    std::optional<Claim> claim{};  // of a BID that somebody chose
  };
  ObjectStaging(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<PendingLog> uploads, Of of);

  std::string base_name(const Resource& resource) const override;
  std::size_t max_name_bytes() const override;
  void put(const std::string& name, const Resource& resource, Source& body, const Call& call) override;
  void describe(const Resource& resource, const StoredResource& stored, const Call& call) override;
  void withdraw(const std::string& name) noexcept override;
  std::string location(const std::string& name) const override { return of_.keys.resource(name); }
  std::string storage_key() const override { return of_.keys.content; }
  std::string marker_location() const override { return of_.keys.marker; }
  void seal(const Sealed& sealed, const Manifest& manifest, const Call& call) override;
  Marker marker() const override;
  void commit(const Call& call) override;
  void clean_up(const Call& call) noexcept override;
  void discard(std::string_view why) noexcept override;

 private:
  bool is_of_this_process() const;  // a forked child leaves its parent's objects alone
  bool marker_is_ours(const Call& call);
  void note_upload(const Call& call);
  std::vector<std::string> keys_put_for(const std::string& name) const;
  void withdraw_again(const Call& call);
  store::WriteOptions document(const char* content_type, const Call& call);  // which may be long
  void put_document(const std::string& key, std::string_view text, const Call& call);

  std::shared_ptr<store::ObjectStore> store_;
  std::shared_ptr<PendingLog> uploads_;
  Of of_;
  std::string token_;
  const Manifest* manifest_ = nullptr;  // once sealed: of the bundle that owns this
  MarkerText marker_text_;
  int pid_;
  base::Turns turns_;  // of adds that would write the note
  bool noted_ = false;
  std::mutex mutex_;
  std::deque<std::string> withdrawn_;  // guarded by mutex_: the newest 10,000 names that are not put anew
};

}  // namespace penstock::bundles
