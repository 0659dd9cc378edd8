// What every ObjectStore must do, as value-parameterised tests: one factory a backing.
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values(memory_backing()), backing_name);
//
// The tests are in contract.inc, which a <backing>_test.cc includes once per program.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/store/object_store.h"

namespace penstock::store {

// Where backings may differ, and still be right.
struct Traits {
  bool keeps_attributes = true;    // content headers and metadata come back from find and get
  bool keeps_digests = true;       // expected digests come back
  bool any_key = true;             // false: no "..", "//", leading "/", "a" beside "a/b"
  bool conditional_remove = true;  // remove honours if_match (MinIO does not)
  bool rewinds = true;             // what get() gives can rewind
  // What is no path is neither kept nor refused by rule but as the server behind the backing likes.
  bool paths_are_the_servers = false;
};

struct Backing {
  std::string name;
  // An empty store, and everything it needs to live, owned by the pointer.
  std::function<std::shared_ptr<ObjectStore>()> make;
  Traits traits{};
};

inline std::string backing_name(const ::testing::TestParamInfo<Backing>& info) {
  return info.param.name;
}
inline void PrintTo(const Backing& backing, std::ostream* out) {
  *out << backing.name;
}

class StoreContract : public ::testing::TestWithParam<Backing> {
 protected:
  std::shared_ptr<ObjectStore> made = GetParam().make();
  ObjectStore& store = *made;
  const Traits& traits = GetParam().traits;

  Receipt put(std::string_view key, std::string_view text, const WriteOptions& options = {}) {
    return store.put(key, as_bytes(text), options);
  }
  std::string get(std::string_view key, const ReadOptions& options = {}) {
    return drain(*store.get(key, options));
  }
  std::vector<std::string> keys(std::string_view prefix = {}, const ListOptions& options = {}) {
    std::vector<std::string> keys;
    auto listing = store.list(prefix, options);
    while (auto meta = listing->next()) keys.push_back(meta->key);
    EXPECT_FALSE(listing->next().has_value());  // the end stays the end
    return keys;
  }
  static std::string drain(Source& source) {
    std::string all, buffer(64 * 1024, '\0');
    while (std::size_t n = source.read(std::as_writable_bytes(std::span{buffer}))) all.append(buffer, 0, n);
    return all;
  }
};

}  // namespace penstock::store
