#include "py_listing.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "await.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using StorePointer = std::shared_ptr<store::ObjectStore>;

// Pages of a listing; an error after some entries waits for the next page.
class ListingHandle {
 public:
  ListingHandle(StorePointer store, std::unique_ptr<store::Listing> listing, CallPointer call)
      : store_(std::move(store)), listing_(std::move(listing)), call_(std::move(call)) {}
  const CallPointer& call() const { return call_; }
  std::vector<store::ObjectMeta> page(std::size_t most) {
    Exclusive use{busy_};
    if (failed_) std::rethrow_exception(std::exchange(failed_, nullptr));
    std::vector<store::ObjectMeta> out;
    try {
      while (out.size() < most) {
        auto meta = listing_->next();
        if (!meta) break;
        out.push_back(std::move(*meta));
      }
    } catch (...) {
      if (out.empty()) throw;
      failed_ = std::current_exception();
    }
    return out;
  }

 private:
  StorePointer store_;  // which a listing may borrow
  std::unique_ptr<store::Listing> listing_;
  CallPointer call_;
  std::exception_ptr failed_;
  std::atomic<bool> busy_{false};
};

}  // namespace

py::object list(const StoreHandle& self, const std::string& prefix, const std::string& start_after,
                const CallPointer& state, const py::object& loop) {
  return perform(state, loop, [store = self.store, prefix, start_after, state](const Call& call) {
    return std::make_shared<ListingHandle>(store, store->list(prefix, {start_after}, call), state);
  });
}

py::object list_with_delimiter(const StoreHandle& self, const std::string& prefix,
                               const std::string& delimiter, const std::string& start_after,
                               const CallPointer& state, const py::object& loop) {
  return perform(state, loop, [store = self.store, prefix, delimiter, start_after, state](const Call& call) {
    auto listing = store->list_with_delimiter(prefix, delimiter, {start_after}, call);
    return std::make_shared<ListingHandle>(store, std::move(listing), state);
  });
}

void bind_listing(py::module_& core) {
  const auto loop = py::arg("loop") = py::none();
  py::class_<ListingHandle, std::shared_ptr<ListingHandle>>(core, "Listing", plain_type())
      .def(
          "page",
          [](const std::shared_ptr<ListingHandle>& listing, std::size_t most, const py::object& loop_) {
            return perform(listing->call(), loop_,
                           [listing, most](const Call&) { return listing->page(most); });
          },
          py::arg("most"), loop);
}

}  // namespace penstock::python
