#include "penstock/bundles/marker_source.h"

#include <algorithm>
#include <cstring>

namespace penstock::bundles {

MarkerSource::MarkerSource(const MarkerText& text, const BundleKeys& keys, const disk::Spool& manifest)
    : text_(text), keys_(keys), names_(manifest), ready_(text.before + "[") {}

// As json.dumps(indent=2) has a list: each on a line of its own, an empty one as [].
void MarkerSource::fill() {
  ready_.clear();
  at_ = 0;
  if (const auto name = names_.next()) {
    ready_ = (any_ ? ",\n    " : "\n    ") + compact(Json(keys_.resource(*name)));
    any_ = true;
  } else if (!ended_) {
    ended_ = true;
    ready_ = (any_ ? "\n  ]" : "]") + text_.after;
  }
}

std::size_t MarkerSource::read(MutableBytes buffer) {
  if (at_ == ready_.size()) fill();
  const std::size_t n = std::min(buffer.size(), ready_.size() - at_);
  std::memcpy(buffer.data(), ready_.data() + at_, n);
  at_ += n;
  return n;
}

}  // namespace penstock::bundles
