// The marker's JSON, streamed: its keys are as many as the bundle has resources. Internal to the room.
#pragma once

#include <string>

#include "penstock/bundles/documents.h"
#include "penstock/bundles/layout.h"
#include "penstock/disk/spool.h"
#include "penstock/streams/source.h"

namespace penstock::bundles {

// Borrows all it is given.
class MarkerSource : public Source {
 public:
  MarkerSource(const MarkerText& text, const BundleKeys& keys, const disk::Spool& manifest);
  std::size_t read(MutableBytes buffer) override;

 private:
  void fill();

  const MarkerText& text_;
  const BundleKeys& keys_;
  StoredNames names_;
  std::string ready_;
  std::size_t at_ = 0;
  bool any_ = false, ended_ = false;
};

}  // namespace penstock::bundles
