// Where the resources of one bundle lie until they are published, and how that is done: the part that a
// folder and an object store do differently. Internal to the room.
//
// Life:    put/describe/withdraw any number, from any threads; then seal(), commit(); or discard().
// Failure: put() that throws leaves nothing under the name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/manifest.h"
#include "penstock/bundles/names.h"

namespace penstock::bundles {

class Staging {
 public:
  virtual ~Staging() = default;

  // What names of resources are made of.
  virtual std::string base_name(const Resource& resource) const { return resource_name_of(resource); }
  virtual std::size_t max_name_bytes() const { return kMaxNameBytes; }
  virtual void put(const std::string& name, const Resource& resource, Source& body, const Call& call) = 0;
  // What stands beside a resource, now that its size and digest are known.
  virtual void describe(const Resource& resource, const StoredResource& stored, const Call& call) = 0;
  virtual void withdraw(const std::string& name) noexcept = 0;
  virtual std::string location(const std::string& name) const = 0;

  virtual std::string storage_key() const = 0;
  virtual std::string marker_location() const = 0;
  virtual std::string spool_folder() const { return {}; }

  // All but the commit. May be repeated, with the same outcome.
  virtual void seal(const Sealed& sealed, const Manifest& manifest, const Call& call) = 0;
  virtual Marker marker() const = 0;  // once sealed
  // Throws Error(in_doubt) if it may have happened; Error(conflict) if another bundle is there.
  virtual void commit(const Call& call) = 0;
  virtual void clean_up(const Call& call) noexcept = 0;  // what only the claim needed

  virtual void discard(std::string_view why) noexcept = 0;

 protected:
  static std::string resource_name_of(const Resource& resource);
};

}  // namespace penstock::bundles
