// One level of a listing: what lies deeper is rolled up to its beginning.
#pragma once

#include <string>

#include "penstock/store/object_store.h"

namespace penstock::store {

// Error(refused) for an empty one.
void check_delimiter(std::string_view delimiter);

// Made out of list() of any store, which it borrows. Each prefix is passed over by listing anew behind it: so
// a level of n entries costs at most n + 1 listings, however many keys lie below.
class LevelListing : public Listing {
 public:
  LevelListing(ObjectStore& store, std::string_view prefix, std::string_view delimiter,
               const ListOptions& options, Call call);
  std::optional<ObjectMeta> next() override;

 private:
  void list_after(std::string start);

  ObjectStore& store_;
  std::string prefix_, delimiter_, start_after_;
  Call call_;
  std::unique_ptr<Listing> listing_;
  std::string rolled_up_;  // the last prefix given
};

}  // namespace penstock::store
