#include "penstock/codecs/zip_writer.h"

#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/codecs/zip_reader.h"
#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/stage_tests.h"
#include "support/zip.h"

namespace penstock::codecs {
namespace {

using test::error_of;
using test::read_all;
using test::StageTest;

// What zlib makes of what the packer made; inflated here, it gives nothing before its end is there.
class Unpacked : public Source {
 public:
  explicit Unpacked(Source& inner) : packer_(inner) {}
  std::size_t read(MutableBytes buffer) override {
    if (!content_) inflate();
    return content_->read(buffer);
  }
  std::string learned() const {
    const ZipFacts facts = packer_.facts();
    return fmt::format("{:08x} {} {}", facts.crc32, facts.packed_bytes, facts.bytes);
  }

 private:
  void inflate() {
    std::string packed, some(1000, '\0');
    while (const auto got = packer_.read(std::as_writable_bytes(std::span{some})))
      packed.append(some, 0, got);
    EXPECT_EQ(packed.size(), packer_.facts().packed_bytes);
    std::size_t end = 0;
    whole_ = test::inflate_prefix(packed, end);
    EXPECT_EQ(end, packed.size());
    content_.emplace(as_bytes(whole_));
  }

  ZipPacker packer_;
  std::string whole_;
  std::optional<MemorySource> content_;
};

// The one member of a zip written as its sizes are known beforehand, or stand behind it, and read back.
class Rewritten : public Source {
 public:
  Rewritten(Source& inner, bool sizes_behind) : inner_(inner), sizes_behind_(sizes_behind) {}
  std::size_t read(MutableBytes buffer) override {
    if (!reader_) write();
    return reader_->content().read(buffer);
  }
  std::string learned() const { return sink_.visible(); }

 private:
  void write() {
    ZipWriter writer{sink_};
    if (sizes_behind_) {
      ZipPacker packer{inner_};
      writer.append({.name = "a"}, Bytes{}, packer);
    } else {
      writer.add({.name = "a"}, inner_);
    }
    writer.finish();
    archive_.emplace(as_bytes(sink_.visible()));
    reader_.emplace(*archive_);
    reader_->next();
  }

  Source& inner_;
  bool sizes_behind_;
  MemorySink sink_;
  std::optional<MemorySource> archive_;
  std::optional<ZipReader> reader_;
};

template <class Of, class... With>
test::StageCase writer_case(const std::string& name, With... with) {
  return {.name = name,
          .make =
              [with...](Source& inner) {
                auto source = std::make_unique<Of>(inner, with...);
                const auto* const at = source.get();
                return test::Stage{.source = std::move(source), .learned = [at] { return at->learned(); }};
              },
          .held = [](const std::string&) { return std::string{}; },
          .rewindable = false};
}

INSTANTIATE_TEST_SUITE_P(ZipWriter, StageTest,
                         ::testing::Values(writer_case<Unpacked>("ZipPacker"),
                                           writer_case<Rewritten>("ZipWriter", false),
                                           writer_case<Rewritten>("ZipWriterSizesBehind", true)),
                         [](const auto& stage) { return stage.param.name; });

using Contents = std::vector<std::pair<std::string, std::string>>;

Contents read_zip(const std::string& archive) {
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  Contents all;
  while (const Entry* entry = reader.next()) all.emplace_back(entry->name, read_all(reader.content()));
  return all;
}

TEST(ZipWriter, what_it_writes_is_read_again) {
  const Contents contents{{"a", "one"}, {"d/empty", ""}, {"caf\xc3\xa9", test::random_bytes(300'000)}};
  MemorySink sink;
  ZipWriter writer{sink};
  for (const auto& [name, body] : contents) {
    MemorySource source{as_bytes(body)};
    EXPECT_EQ(writer.add({.name = name}, source).bytes, body.size());
  }
  EXPECT_EQ(writer.entries(), contents.size());
  const Receipt receipt = writer.finish();
  EXPECT_EQ(receipt.bytes, sink.visible().size());
  EXPECT_EQ(read_zip(sink.visible()), contents);
}

TEST(ZipWriter, a_large_member_has_its_sizes_behind_it) {
  const Contents contents{
      {"small", "one"}, {"large", test::random_bytes(ZipWriter::kWholeBytes + 100'000)}, {"b", "two"}};
  MemorySink sink;
  ZipWriter writer{sink};
  for (const auto& [name, body] : contents) {
    MemorySource source{as_bytes(body)};
    writer.add({.name = name}, source);
  }
  writer.finish();
  EXPECT_EQ(read_zip(sink.visible()), contents);
  MemorySource source{as_bytes(sink.visible())};
  ZipReader reader{source};
  EXPECT_EQ(reader.next()->bytes, 3u);
  EXPECT_EQ(reader.next()->bytes, std::nullopt);
}

TEST(ZipWriter, a_directory_beyond_its_memory_is_spooled_and_beyond_65535_entries_wide) {
  MemorySink sink;
  ZipWriter writer{sink};
  for (int i = 0; i < 70'000; ++i) {
    MemorySource nothing{Bytes{}};
    ZipPacker packer{nothing, 1};
    std::byte some[16];
    const std::size_t got = packer.read(some);
    writer.append({.name = "member-" + std::to_string(i)}, packer.facts(), Bytes{some}.first(got));
  }
  writer.finish();
  const Contents read = read_zip(sink.visible());
  ASSERT_EQ(read.size(), 70'000u);
  EXPECT_EQ(read.back().first, "member-69999");
}

TEST(ZipWriter, equal_contents_make_equal_zips_and_times_are_kept) {
  const WallTime at{std::chrono::seconds{1'700'000'001}};
  const auto made = [](const std::optional<WallTime>& modified) {
    MemorySink sink;
    ZipWriter writer{sink};
    MemorySource source{as_bytes("body")};
    writer.add({.name = "a", .modified = modified}, source);
    writer.finish();
    return sink.visible();
  };
  EXPECT_EQ(made(std::nullopt), made(std::nullopt));
  for (const WallTime& time : {at, WallTime{std::chrono::seconds{-1}}}) {
    const std::string archive = made(time);
    MemorySource source{as_bytes(archive)};
    ZipReader reader{source};
    EXPECT_EQ(reader.next()->modified, time);
  }
}

TEST(ZipWriter, a_small_member_that_fails_is_left_out) {
  MemorySink sink;
  ZipWriter writer{sink};
  MemorySource good{as_bytes("one")}, whole{as_bytes("two and more")};
  SlowSource bad{whole, 3};
  bad.break_at(6, Error{Kind::lost, "cut"});
  writer.add({.name = "a"}, good);
  EXPECT_EQ(error_of([&] { writer.add({.name = "b"}, bad); }).kind(), Kind::lost);
  writer.finish();
  EXPECT_EQ(read_zip(sink.visible()), (Contents{{"a", "one"}}));
}

TEST(ZipWriter, a_large_member_that_fails_aborts_the_zip) {
  const std::string body = test::random_bytes(ZipWriter::kWholeBytes + 500'000);
  MemorySink sink;
  ZipWriter writer{sink};
  MemorySource whole{as_bytes(body)};
  SlowSource bad{whole, 100'000};
  bad.break_at(body.size() - 1, Error{Kind::lost, "cut"});
  EXPECT_EQ(error_of([&] { writer.add({.name = "a"}, bad); }).kind(), Kind::lost);
  EXPECT_TRUE(sink.aborted());
  EXPECT_THROW(writer.finish(), std::logic_error);
}

TEST(ZipWriter, a_sink_that_fails_is_told_to_abort) {
  for (const std::uint64_t at : {0, 10, 40, 60, 110}) {
    MemorySink sink;
    SlowSink slow{sink, 8};
    slow.break_at(at, Error{Kind::lost, "gone"});
    ZipWriter writer{slow};
    const Error error = error_of([&] {
      MemorySource source{as_bytes("one two three")};
      writer.add({.name = "a"}, source);
      writer.finish();
    });
    EXPECT_EQ(error.kind(), Kind::lost) << at;
    EXPECT_TRUE(sink.aborted()) << at;
  }
}

TEST(ZipWriter, dropped_unfinished_it_aborts) {
  MemorySink sink;
  {
    const ZipWriter writer{sink};
  }
  EXPECT_TRUE(sink.aborted());
}

TEST(ZipWriter, names_nobody_could_read_are_refused) {
  MemorySink sink;
  ZipWriter writer{sink};
  for (const char* name : {"", "/a", "../a", "a\\b", "a/", "a/.", "caf\x82"}) {
    MemorySource source{as_bytes("x")};
    EXPECT_EQ(error_of([&] { writer.add({.name = name}, source); }).facts().code, code::kUnsafeName) << name;
  }
  EXPECT_EQ(error_of([&] { ZipWriter{sink, {.level = 10}}; }).kind(), Kind::refused);
  EXPECT_THROW(writer.append({.name = "a"}, {.packed_bytes = 2}, as_bytes("x")), std::invalid_argument);
  writer.finish();
  EXPECT_EQ(read_zip(sink.visible()), Contents{});
}

}  // namespace
}  // namespace penstock::codecs
