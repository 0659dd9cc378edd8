// What every KeyValue must do, as value-parameterised tests: one factory a backing.
//
//   INSTANTIATE_TEST_SUITE_P(Memory, KeyValueContract, ::testing::Values(memory_backing()), backing_name);
//
// The tests are in contract.inc, which contract_test.cc includes once.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/kv/key_value.h"

namespace penstock::kv {

struct Made {
  std::shared_ptr<KeyValue> store;                      // empty, and owner of everything it needs to live
  std::function<void(std::chrono::milliseconds)> pass;  // lets so much time go by for it
};

struct Backing {
  std::string name;
  std::function<Made()> make;
  bool own_clock = true;            // time can be made to pass at no cost
  bool shared_with_a_child = true;  // what a forked child writes the parent sees
};

inline std::string backing_name(const ::testing::TestParamInfo<Backing>& info) {
  return info.param.name;
}
inline void PrintTo(const Backing& backing, std::ostream* out) {
  *out << backing.name;
}

class KeyValueContract : public ::testing::TestWithParam<Backing> {
 protected:
  using Keys = std::vector<std::string>;
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  Made made = GetParam().make();
  KeyValue& store = *made.store;

  Keys scan(std::string_view pattern) {
    Keys keys;
    const auto scan = store.scan(pattern);
    while (auto key = scan->next()) keys.push_back(std::move(*key));
    EXPECT_FALSE(scan->next().has_value());  // the end stays the end
    std::ranges::sort(keys);
    const auto twice = std::ranges::unique(keys);
    keys.erase(twice.begin(), twice.end());
    return keys;
  }
  Pairs range(std::string_view start, const RangeOptions& options = {}) {
    Pairs pairs;
    for (auto& entry : store.range(start, options)) pairs.emplace_back(entry.key, entry.value);
    return pairs;
  }
  Keys keys_of(const Pairs& pairs) {
    Keys keys;
    for (const auto& [key, value] : pairs) keys.push_back(key);
    return keys;
  }
};

}  // namespace penstock::kv
