// The contract, on the two backings that need nothing but this machine.
#include "store/contract.inc"

#include "penstock/store/folder_store.h"
#include "penstock/store/memory_store.h"

#include "support/temporary_folder.h"

namespace penstock::store {
namespace {

Backing memory_backing() {
  return {.name = "Memory", .make = [] { return std::make_shared<MemoryStore>(); }};
}

Backing folder_backing() {
  auto make = [] {
    struct Owned {
      test::TemporaryFolder folder;
      FolderStore store{folder.path()};
    };
    auto owned = std::make_shared<Owned>();
    return std::shared_ptr<ObjectStore>(owned, &owned->store);
  };
  return {.name = "Folder", .make = make, .traits = {.any_key = false}};
}

INSTANTIATE_TEST_SUITE_P(Local, StoreContract, ::testing::Values(memory_backing(), folder_backing()),
                         backing_name);

}  // namespace
}  // namespace penstock::store
