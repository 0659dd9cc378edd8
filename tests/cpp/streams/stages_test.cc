#include "penstock/streams/stages.h"

#include <thread>

#include <gtest/gtest.h>

#include "penstock/base/units.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/pipe.h"

#include "support/stage_tests.h"

namespace penstock {
namespace {

using test::Stage;
using test::StageCase;
using test::StageTest;

struct Reports : Progress {
  std::vector<ProgressReport> all;
  void report(const ProgressReport& report) override { all.push_back(report); }
};

StageCase limit() {
  return {.name = "Limit",
          .make = [](Source& inner) { return Stage{.source = std::make_unique<Limit>(inner, 64_MiB)}; }};
}

StageCase count() {
  return {.name = "Count", .make = [](Source& inner) {
            auto stage = std::make_unique<Count>(inner);
            const auto* const at = stage.get();
            return Stage{.source = std::move(stage), .learned = [at] { return std::to_string(at->bytes()); }};
          }};
}

StageCase hash() {
  return {.name = "Hash", .make = [](Source& inner) {
            auto stage = std::make_unique<Hash>(
                inner, std::vector{Algorithm::sha256, Algorithm::sha512, Algorithm::sha1, Algorithm::md5,
                                   Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme});
            const auto digests = [at = stage.get()] {
              std::string all;
              for (const auto& [name, hex] : at->digests()) all += name + ":" + hex + " ";
              return all;
            };
            return Stage{.source = std::move(stage), .learned = digests};
          }};
}

StageCase tee() {
  return {.name = "Tee",
          .make =
              [](Source& inner) {
                auto sink = std::make_shared<std::string>();
                struct Keeper : Sink {
                  explicit Keeper(std::shared_ptr<std::string> to) : to_(std::move(to)) {}
                  void write(Bytes bytes) override { to_->append(as_text(bytes)); }
                  Receipt finish() override { return {}; }
                  void abort(std::string_view) noexcept override {}
                  std::shared_ptr<std::string> to_;
                };
                auto keeper = std::make_shared<Keeper>(sink);
                return Stage{.source = std::make_unique<Tee>(inner, *keeper),
                             .keep = keeper,
                             .learned = [sink] { return *sink; }};
              },
          .rewindable = false};
}

StageCase meter() {
  return {.name = "Meter", .make = [](Source& inner) {
            auto reports = std::make_shared<Reports>();
            return Stage{
                .source = std::make_unique<Meter>(inner, reports.get(), std::make_shared<ManualClock>()),
                .keep = reports,
                .learned = [reports] { return std::to_string(reports->all.back().bytes_done); }};
          }};
}

StageCase slow_source() {
  return {.name = "SlowSource",
          .make = [](Source& inner) { return Stage{.source = std::make_unique<SlowSource>(inner, 3)}; }};
}

// The other end of a pipe whose writer pumps `inner` on a thread of its own.
class Piped : public Source {
 public:
  Piped(Source& inner, std::size_t ring_bytes) : Piped(inner, Pipe{ring_bytes}) {}
  std::size_t read(MutableBytes buffer) override { return reader_.read(buffer); }
  ~Piped() override { reader_.close(); }

 private:
  Piped(Source& inner, Pipe pipe)
      : reader_(std::move(pipe.reader)), thread_([&inner, writer = std::move(pipe.writer)]() mutable {
          try {
            pump(inner, writer);
          } catch (const Error& error) {
            writer.fail(error);
          }
        }) {}

  PipeReader reader_;
  std::jthread thread_;
};

StageCase pipe(const std::string& name, std::size_t ring_bytes) {
  return {.name = name,
          .make = [ring_bytes](
                      Source& inner) { return Stage{.source = std::make_unique<Piped>(inner, ring_bytes)}; },
          .rewindable = false};
}

INSTANTIATE_TEST_SUITE_P(Streams, StageTest,
                         ::testing::Values(limit(), count(), hash(), tee(), meter(), slow_source(),
                                           pipe("Pipe", 256 * 1024), pipe("PipeOfFiveBytes", 5)),
                         [](const auto& stage) { return stage.param.name; });

std::string code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string{to_string(error.kind())} + " " + error.facts().code;
  }
  return "nothing was thrown";
}

TEST(Limit, passes_exactly_its_limit) {
  MemorySource inner{as_bytes("12345")};
  Limit limit{inner, 5};
  EXPECT_EQ(test::read_all(limit), "12345");
}

TEST(Limit, one_byte_more_is_refused_whatever_the_buffer) {
  for (const std::size_t buffer_bytes : {1U, 2U, 5U, 6U, 100U}) {
    MemorySource inner{as_bytes("123456")};
    Limit limit{inner, 5};
    EXPECT_EQ(code_of([&] { test::read_all(limit, buffer_bytes); }), "refused too_large") << buffer_bytes;
  }
}

TEST(Limit, takes_at_most_one_byte_over_its_limit_from_the_source) {
  const std::string input(1'000, 'x');
  MemorySource inner{as_bytes(input)};
  Count taken{inner};
  Limit limit{taken, 10};
  EXPECT_EQ(code_of([&] { test::read_all(limit, 64); }), "refused too_large");
  EXPECT_EQ(taken.bytes(), 11U);
}

TEST(Limit, of_nothing_passes_an_empty_source_only) {
  MemorySource empty{{}}, one{as_bytes("1")};
  Limit passes{empty, 0}, refuses{one, 0};
  EXPECT_EQ(test::read_all(passes), "");
  EXPECT_EQ(code_of([&] { test::read_all(refuses); }), "refused too_large");
}

TEST(Tee, what_its_sink_refuses_reaches_the_reader) {
  MemorySource inner{as_bytes("123456")};
  MemorySink sink{3};
  Tee tee{inner, sink};
  EXPECT_EQ(code_of([&] { test::read_all(tee); }), "refused too_large");
}

TEST(Meter, reports_at_most_ten_times_a_second_and_once_at_the_end) {
  const std::string input(100, 'x');
  MemorySource inner{as_bytes(input)};
  const auto clock = std::make_shared<ManualClock>();
  Reports reports;
  Meter meter{inner, &reports, clock};
  std::string buffer(1, '\0');
  const auto bytes = std::as_writable_bytes(std::span{buffer});
  while (meter.read(bytes) > 0) clock->advance(std::chrono::milliseconds{10});
  meter.read(bytes);
  ASSERT_EQ(reports.all.size(), 11U);  // at byte 1, 11, .. 91, and the end
  EXPECT_EQ(reports.all[1].bytes_done, 11U);
  EXPECT_EQ(reports.all.back().bytes_done, 100U);
  EXPECT_EQ(reports.all.back().bytes_total, 100U);
}

TEST(Meter, what_it_reports_never_falls_when_a_part_is_read_again) {
  const std::string input(100, 'x');
  MemorySource inner{as_bytes(input)};
  const auto clock = std::make_shared<ManualClock>();
  Reports reports;
  Meter meter{inner, &reports, clock};
  std::string buffer(60, '\0');
  const auto bytes = std::as_writable_bytes(std::span{buffer});
  meter.mark();
  meter.read(bytes);
  meter.rewind();
  clock->advance(std::chrono::seconds{1});
  meter.read(bytes.first(10));
  EXPECT_EQ(reports.all.back().bytes_done, 60U);
}

TEST(Meter, without_a_progress_it_passes_bytes_on) {
  MemorySource inner{as_bytes("abc")};
  Meter meter{inner, nullptr};
  EXPECT_EQ(test::read_all(meter), "abc");
}

TEST(Meter, what_the_progress_throws_reaches_the_reader) {
  struct Angry : Progress {
    void report(const ProgressReport&) override { throw std::domain_error{"enough"}; }
  } angry;
  MemorySource inner{as_bytes("abc")};
  Meter meter{inner, &angry};
  EXPECT_THROW(test::read_all(meter), std::domain_error);
}

TEST(Source, that_is_not_rewindable_says_so_when_asked_to) {
  MemorySource inner{as_bytes("abc")};
  MemorySink sink;
  Tee tee{inner, sink};
  EXPECT_FALSE(tee.rewindable());
  EXPECT_THROW(tee.mark(), std::logic_error);
  EXPECT_THROW(tee.rewind(), std::logic_error);
}

TEST(ReadFull, goes_on_until_the_buffer_is_full_or_the_stream_ends) {
  MemorySource inner{as_bytes("12345678")};
  SlowSource slow{inner, 3};
  std::string buffer(5, '\0');
  const auto bytes = std::as_writable_bytes(std::span{buffer});
  EXPECT_EQ(read_full(slow, bytes), 5U);
  EXPECT_EQ(buffer, "12345");
  EXPECT_EQ(read_full(slow, bytes), 3U);
  EXPECT_EQ(read_full(slow, bytes), 0U);
}

}  // namespace
}  // namespace penstock
