#include "support/stage_tests.h"

#include <algorithm>
#include <array>

#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/random_bytes.h"

namespace penstock::test {
namespace {

// Gives `first` bytes with one read and all else with the next: what a stage holds back shows.
class SplitSource : public Source {
 public:
  SplitSource(const std::string& bytes, std::size_t first) : whole_(as_bytes(bytes)), first_(first) {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t got =
        whole_.read(buffer.first(first_ > 0 ? std::min(first_, buffer.size()) : buffer.size()));
    first_ -= std::min(first_, got);
    return got;
  }

 private:
  MemorySource whole_;
  std::size_t first_;
};

// One source after the other.
class JoinedSource : public Source {
 public:
  JoinedSource(const std::string& a, const std::string& b)
      : parts_{MemorySource{as_bytes(a)}, MemorySource{as_bytes(b)}} {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t got = parts_[0].read(buffer);
    return got > 0 ? got : parts_[1].read(buffer);
  }

 private:
  std::array<MemorySource, 2> parts_;
};

}  // namespace

void PrintTo(const StageCase& stage, std::ostream* out) {
  *out << stage.name;
}

TEST_P(StageTest, whole) {
  const std::string input = GetParam().input();
  MemorySource inner{as_bytes(input)};
  Stage stage = GetParam().make(inner);
  EXPECT_EQ(read_all(*stage.source), GetParam().output);
}

TEST_P(StageTest, one_byte_at_a_time) {
  const std::string input = GetParam().input();
  MemorySource whole{as_bytes(input)};
  SlowSource inner{whole, 1};
  Stage stage = GetParam().make(inner);
  EXPECT_EQ(read_all(*stage.source, 1), GetParam().output);
}

TEST_P(StageTest, split_at_every_boundary_it_gives_and_learns_the_same) {
  const std::string input = GetParam().input();
  MemorySource whole{as_bytes(input)};
  Stage reference = GetParam().make(whole);
  read_all(*reference.source);
  for (std::size_t split = 0; split <= input.size(); ++split) {
    SplitSource inner{input, split};
    Stage stage = GetParam().make(inner);
    ASSERT_EQ(read_all(*stage.source), GetParam().output) << split;
    ASSERT_EQ(stage.learned(), reference.learned()) << split;
  }
}

TEST_P(StageTest, a_truncated_source_is_its_error_after_what_it_held_and_never_an_end) {
  const std::string input = GetParam().input();
  const auto& held = GetParam().held ? GetParam().held : GetParam().expected;
  for (std::size_t cut = 0; cut < input.size(); ++cut) {
    MemorySource whole{as_bytes(input)};
    SlowSource inner{whole, 7};
    inner.break_at(cut, Error{Kind::lost, "cut", {.code = "cut"}});
    Stage stage = GetParam().make(inner);
    std::string got, buffer(16, '\0');
    try {
      while (const auto count = stage.source->read(std::as_writable_bytes(std::span{buffer}))) {
        got.append(buffer, 0, count);
      }
      FAIL() << "ended as if all were well, cut at " << cut;
    } catch (const Error& error) {
      ASSERT_EQ(error.facts().code, "cut");
      ASSERT_EQ(got, held(input.substr(0, cut))) << cut;
    }
  }
}

TEST_P(StageTest, concatenated_sources_are_one_stream_or_one_too_many) {
  const std::string input = GetParam().input();
  JoinedSource inner{input, input};
  Stage stage = GetParam().make(inner);
  if (!GetParam().twice.empty()) {
    const Error error = error_of([&] { read_all(*stage.source); });
    EXPECT_EQ(error.facts().code, GetParam().twice) << error.what();
    return;
  }
  EXPECT_EQ(read_all(*stage.source), GetParam().expected(input + input));
}

TEST_P(StageTest, larger_than_any_buffer) {
  const std::string output = random_bytes(3 * 1024 * 1024 + 17, 11), input = GetParam().packed(output);
  MemorySource inner{as_bytes(input)};
  Stage stage = GetParam().make(inner);
  EXPECT_TRUE(read_all(*stage.source, 300'000) == output);
}

TEST_P(StageTest, page_by_page_it_gives_and_learns_the_same) {
  const std::string output = random_bytes(2 * kPageBytes + 17, 12), input = GetParam().packed(output);
  MemorySource whole{as_bytes(input)}, inner{as_bytes(input)};
  Stage reference = GetParam().make(whole), stage = GetParam().make(inner);
  read_all(*reference.source, kPageBytes);
  Page page = Budget::process_default()->overdraw_page();
  std::string got;
  while (const std::size_t count = stage.source->read_page(page)) got += as_text(page.bytes().first(count));
  EXPECT_EQ(stage.source->read_page(page), 0U) << "an end is no longer one when asked again";
  EXPECT_TRUE(got == output);
  EXPECT_EQ(stage.learned(), reference.learned());
}

TEST_P(StageTest, mark_read_rewind_read_gives_the_same_bytes_and_learns_the_same) {
  const std::string input = GetParam().input();
  MemorySource whole{as_bytes(input)};
  Stage reference = GetParam().make(whole);
  read_all(*reference.source);
  for (std::size_t mark = 0; mark <= GetParam().output.size(); ++mark) {
    MemorySource inner{as_bytes(input)};
    Stage stage = GetParam().make(inner);
    ASSERT_EQ(stage.source->rewindable(), GetParam().rewindable);
    if (!GetParam().rewindable) {
      ASSERT_THROW(stage.source->mark(), std::logic_error);
      ASSERT_THROW(stage.source->rewind(), std::logic_error);
      return;
    }
    std::string before(mark, '\0');
    read_full(*stage.source, std::as_writable_bytes(std::span{before}));
    stage.source->mark();
    const std::string first = read_all(*stage.source);
    stage.source->rewind();
    const std::string again = read_all(*stage.source);
    ASSERT_EQ(again, first) << mark;
    ASSERT_EQ(before + again, GetParam().output) << mark;
    ASSERT_EQ(stage.learned(), reference.learned()) << mark;
  }
}

}  // namespace penstock::test
