// The seven tests that every stage passes, whatever it does to the bytes.
//
// A suite describes its stage by a StageCase; INSTANTIATE_TEST_SUITE_P(<Stage>, StageTest,
// ::testing::Values(case)) in a file that includes this header runs them all.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/base/error.h"
#include "penstock/streams/source.h"

#include "support/read_all.h"

namespace penstock::test {

// A stage over `inner`, with whatever it borrows besides kept alive by `keep`.
struct Stage {
  std::unique_ptr<Source> source;
  std::shared_ptr<void> keep{};
  // What the stage learned of the bytes that passed: a digest, a count. Empty when it learns nothing.
  std::function<std::string()> learned = [] { return std::string{}; };
};

struct StageCase {
  std::string name;
  std::function<Stage(Source& inner)> make;
  // What comes out for what goes in, which may be cut anywhere.
  std::function<std::string(const std::string& input)> expected = [](const std::string& bytes) {
    return bytes;
  };
  // What has come out of an input cut there, when the cut is seen; unset: what `expected` says of it. A stage
  // that can give nothing before it has read further says so here.
  std::function<std::string(const std::string& input)> held{};
  // The code of the error that a second input behind the first is; "": both are one stream.
  std::string_view twice{};
  // What goes in for what is to come out; the default is a stage that passes bytes through.
  std::function<std::string(const std::string& output)> packed = [](const std::string& bytes) {
    return bytes;
  };
  // What comes out of the input that is tried at each place; long enough to be cut anywhere.
  std::string output = "the quick brown fox jumps over the lazy dog";
  bool rewindable = true;

  std::string input() const { return packed(output); }
};

void PrintTo(const StageCase& stage, std::ostream* out);

class StageTest : public ::testing::TestWithParam<StageCase> {};

}  // namespace penstock::test
