// A user's Python class as an ObjectStore: penstock.stores.StoreProtocol says what it must have.
#pragma once

#include <memory>
#include <string>

#include <pybind11/pybind11.h>

#include "penstock/store/object_store.h"

#include "gil.h"

namespace penstock::python {

// Threads: called from whichever thread runs the pipeline, the GIL taken for each call.
class PyStore : public store::ObjectStore {
 public:
  // `state`: the call that an exception which is no Exception ends; null: it passes through the core.
  explicit PyStore(Kept store, CallPointer state = nullptr)
      : store_(std::move(store)), state_(std::move(state)) {}

  // The same store for the length of one call.
  std::shared_ptr<PyStore> within(CallPointer state) const {
    return std::make_shared<PyStore>(store_, std::move(state));
  }

  std::optional<store::ObjectMeta> find(std::string_view key, const Call& call) override;
  std::unique_ptr<store::ObjectSource> get(std::string_view key, const store::ReadOptions& options,
                                           const Call& call) override;
  std::unique_ptr<Sink> open_writer(std::string_view key, const store::WriteOptions& options,
                                    const Call& call) override;
  std::unique_ptr<store::Listing> list(std::string_view prefix, const store::ListOptions& options,
                                       const Call& call) override;
  void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override;
  std::shared_ptr<store::ObjectStore> with_bucket(std::string_view bucket) override;
  std::string location(std::string_view key) const override;

 private:
  Kept store_;
  CallPointer state_;
};

}  // namespace penstock::python
