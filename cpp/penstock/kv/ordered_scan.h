// A scan over a backing that holds its keys in order.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/wait.h"
#include "penstock/kv/glob.h"
#include "penstock/kv/key_value.h"

namespace penstock::kv {

inline constexpr std::size_t kScanPage = 256;

// The first key behind `key` that there can be.
inline std::string after(std::string key) {
  key.push_back('\0');
  return key;
}

class OrderedScan : public KeyScan {
 public:
  // Up to kScanPage keys, the first at or behind `from`, in order.
  using Fetch = std::function<std::vector<std::string>(std::string_view from, const Call& call)>;

  OrderedScan(std::string_view pattern, Fetch fetch, Call call)
      : glob_(pattern), fetch_(std::move(fetch)), call_(std::move(call)), from_(glob_.prefix()) {}

  std::optional<std::string> next() override {
    for (;;) {
      if (at_ == page_.size() && !fill()) return std::nullopt;
      std::string& key = page_[at_++];
      if (!key.starts_with(glob_.prefix())) return end();
      base::check(call_, "scan keys");
      if (glob_.matches(key)) return std::move(key);
    }
  }

 private:
  bool fill() {
    if (ended_) return false;
    page_ = fetch_(from_, call_);
    at_ = 0;
    ended_ = page_.size() < kScanPage;
    if (!page_.empty()) from_ = after(page_.back());
    return !page_.empty();
  }
  std::nullopt_t end() {
    ended_ = true;
    page_.clear();
    at_ = 0;
    return std::nullopt;
  }

  Glob glob_;
  Fetch fetch_;
  Call call_;
  std::string from_;
  std::vector<std::string> page_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace penstock::kv
