// Objects in memory: for tests, notebooks and small intermediate results.
//
// Life:     objects live as long as the store; a get() in progress keeps the version it reads.
// Threads:  shared freely. Create and if_match are atomic.
// Memory:   all of it, up to options.max_bytes over objects and unfinished writes, and charged to
//           options.budget if one is given. Full is Error(busy, code no_space); an object larger than the
//           whole store is Error(refused, code too_large).
// Kept:     content headers, metadata, expected digests. Not: storage class, encryption, tags, versions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "penstock/base/budget.h"
#include "penstock/base/clock.h"
#include "penstock/base/units.h"
#include "penstock/store/object_store.h"

namespace penstock::store {

struct MemoryOptions {
  std::uint64_t max_bytes = 256_MiB;
  std::shared_ptr<Budget> budget{};  // null: max_bytes alone bounds it
  std::shared_ptr<Clock> clock{};    // null: the system's
  std::string bucket{};              // for location(): memory:bucket/key
};

class MemoryStore : public ObjectStore {
 public:
  explicit MemoryStore(MemoryOptions options = {});
  ~MemoryStore() override;

  std::optional<ObjectMeta> find(std::string_view key, const Call& call = {}) override;
  std::unique_ptr<ObjectSource> get(std::string_view key, const ReadOptions& options = {},
                                    const Call& call = {}) override;
  std::unique_ptr<Sink> open_writer(std::string_view key, const WriteOptions& options = {},
                                    const Call& call = {}) override;
  // One key at a time from the live store: what comes and goes meanwhile may or may not be seen.
  std::unique_ptr<Listing> list(std::string_view prefix = {}, const ListOptions& options = {},
                                const Call& call = {}) override;
  void remove(std::string_view key, const RemoveOptions& options = {}, const Call& call = {}) override;
  // A store of its own, the same one each time; max_bytes is for all together.
  std::shared_ptr<ObjectStore> with_bucket(std::string_view bucket) override;
  std::string location(std::string_view key) const override;
  std::pair<std::string, std::string> place(std::string_view key) const override;

  std::uint64_t used_bytes() const;  // objects and unfinished writes, this bucket and its siblings

  struct State;

 private:
  explicit MemoryStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace penstock::store
