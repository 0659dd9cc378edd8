#include "penstock/s3/writer.h"

#include <atomic>
#include <functional>
#include <set>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"
#include "penstock/streams/memory.h"

#include "http/asking.h"
#include "s3/scripted_bucket.h"
#include "support/child.h"
#include "support/errors.h"
#include "support/random_bytes.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::random_bytes;
using test::Reply;
using test::ScriptedBucket;

class WriterTest : public ::testing::Test {
 protected:
  S3Store& store(const std::string& provider = "minio") {
    if (!store_) store_.emplace(bucket.config(http, provider));
    return *store_;
  }
  void drain() { http->drain(Call{.deadline = Deadline::after(test::kPatience)}); }

  void expect_nothing_left() {
    drain();
    EXPECT_TRUE(bucket.objects().empty());
    EXPECT_TRUE(bucket.uploads().empty()) << "an upload was left open";
    EXPECT_EQ(http->statistics().uploads_open, 0);
    EXPECT_EQ(http->statistics().parts_in_flight, 0);
  }
  void instead_of(const std::string& verb, Reply reply, int times = 1) {
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != verb || asked.nth > times) return std::nullopt;
      return reply;
    };
  }

  ScriptedBucket bucket;
  std::shared_ptr<Budget> budget = Budget::create(64_MiB);
  std::shared_ptr<http::Client> http = test::quick_client({.budget = budget});
  std::optional<S3Store> store_;
};

TEST_F(WriterTest, WhatFitsOnePartIsOneRequest) {
  const std::string content = random_bytes(5_MiB);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, content.size()}) {
    MemorySource source{as_bytes(content).first(size)};
    const Receipt receipt = store().put("k", source);
    EXPECT_EQ(receipt.bytes, size);
    EXPECT_EQ(receipt.mode, "put");
    EXPECT_EQ(bucket.objects().at("k").bytes, size);
  }
  EXPECT_TRUE(bucket.asked("CreateMultipartUpload").empty());
}

TEST_F(WriterTest, OneByteMoreIsAnUploadOfTwoParts) {
  const std::string content = random_bytes(5_MiB + 1);
  MemorySource source{as_bytes(content)};
  const Receipt receipt = store().put("k", source);
  EXPECT_EQ(receipt.mode, "multipart");
  EXPECT_EQ(receipt.bytes, content.size());
  EXPECT_EQ(receipt.location, "s3://bucket/k");
  EXPECT_EQ(bucket.objects().at("k").bytes, content.size());
  const auto parts = bucket.asked("UploadPart");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].request.body_bytes + parts[1].request.body_bytes, content.size());
}

TEST_F(WriterTest, BorrowedBytesAreSentAsTheyAre) {
  const std::string content = random_bytes(11_MiB);
  const Receipt receipt = store().put("k", as_bytes(content));
  EXPECT_EQ(receipt.bytes, content.size());
  Hasher crc{Algorithm::crc64nvme};
  crc.update(as_bytes(content));
  EXPECT_EQ(receipt.digests.at("crc64nvme"), crc.digest().hex());
  EXPECT_EQ(bucket.objects().at("k").bytes, content.size());
  EXPECT_EQ(budget->statistics().used, budget->statistics().retained);
}

TEST_F(WriterTest, PartsCarryTheirChecksumAndCreateDeclaresIt) {
  const std::string content = random_bytes(6_MiB);
  store().put("k", as_bytes(content));
  const auto create = bucket.asked("CreateMultipartUpload").at(0).request;
  EXPECT_EQ(create.headers.get("x-amz-checksum-algorithm"), "CRC64NVME");
  EXPECT_EQ(create.headers.get("x-amz-checksum-type"), "FULL_OBJECT");
  for (const Asked& part : bucket.asked("UploadPart")) {
    EXPECT_EQ(part.request.headers.get("x-amz-checksum-crc64nvme").size(), 12u);
  }
}

TEST_F(WriterTest, ARowWithoutChecksumsSendsNone) {
  store("other").put("k", as_bytes("x"));
  EXPECT_FALSE(bucket.asked("PutObject").at(0).request.headers.has("x-amz-checksum-crc64nvme"));
}

TEST_F(WriterTest, ARefusedChecksumIsLearntOnceAndThePutSucceeds) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (!asked.request.headers.has("x-amz-checksum-crc64nvme")) return std::nullopt;
    return Reply{501,
                 {},
                 "<Error><Code>NotImplemented</Code><Message>Header 'x-amz-checksum-crc64nvme' not "
                 "implemented</Message></Error>"};
  };
  store().put("a", as_bytes("x"));
  store().put("b", as_bytes("y"));
  EXPECT_EQ(bucket.asked("PutObject").size(), 3u);
  EXPECT_EQ(bucket.objects().size(), 2u);
}

// Its error's sentence names the key; only the service's own words may decide.
TEST_F(WriterTest, AKeyThatNamesATrailerSwitchesNoChecksumOff) {
  instead_of("PutObject", {400, {}, error_xml("InvalidRequest")});
  const Error error = error_of([&] { store().put("checksum/trailer.mp4", as_bytes("x")); });
  EXPECT_EQ(error.facts().code, "InvalidRequest");
  EXPECT_EQ(bucket.asked("PutObject").size(), 1u);
  store().put("b", as_bytes("y"));
  EXPECT_TRUE(bucket.asked("PutObject").back().request.headers.has("x-amz-checksum-crc64nvme"));
}

TEST_F(WriterTest, WhatWasStoredWrongIsTakenBackAndTheErrorSaysHowThatWent) {
  for (const bool removable : {true, false}) {
    bucket.afterwards = [=](const Asked& asked, const Reply&) -> std::optional<Reply> {
      if (asked.verb != "PutObject") return std::nullopt;
      return Reply{200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}};
    };
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      if (removable || asked.verb != "DeleteObject") return std::nullopt;
      return Reply{403, {}, error_xml("AccessDenied")};
    };
    const Error error = error_of([&] { store().put("k", as_bytes("x")); });
    EXPECT_EQ(error.kind(), Kind::corrupt);
    EXPECT_EQ(error.message().find("the object was removed") != std::string::npos, removable) << error.what();
    EXPECT_EQ(error.message().find("could not be removed") == std::string::npos, removable) << error.what();
    EXPECT_EQ(bucket.objects().empty(), removable);
  }
}

TEST_F(WriterTest, APutThatNeverLeftIsNotInDoubt) {
  const test::UnansweringPort port;
  Config config = bucket.config(http);
  config.endpoint = port.url();
  const Call call{.deadline = Deadline::after(std::chrono::milliseconds{100})};
  const Error error = error_of([&] { S3Store{config}.put("k", as_bytes("x"), {}, call); });
  EXPECT_EQ(error.kind(), Kind::lost) << error.what();
  EXPECT_EQ(error.facts().code, code::kDeadline);
}

TEST_F(WriterTest, PartThreeDeniedStopsTheSiblingsAndLeavesNothing) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart" || asked.part != 3) return std::nullopt;
    return Reply{403, {}, error_xml("AccessDenied")};
  };
  const std::string content = random_bytes(31_MiB);
  MemorySource source{as_bytes(content)};
  const Error error = error_of([&] { store().put("k", source); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().side, Side::sink);
  EXPECT_EQ(error.facts().doing, "upload part 3");
  EXPECT_FALSE(error.facts().upload_id.empty());
  expect_nothing_left();
}

TEST_F(WriterTest, APartWithoutETagIsCorruptAndLeavesNothing) {
  instead_of("UploadPart", {200});
  const std::string content = random_bytes(11_MiB);
  EXPECT_EQ(error_of([&] { store().put("k", as_bytes(content)); }).kind(), Kind::corrupt);
  expect_nothing_left();
}

TEST_F(WriterTest, APartWithAnotherChecksumIsSentOnceMoreThenCorrupt) {
  const Reply lie{200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}};
  instead_of("UploadPart", lie);
  const std::string content = random_bytes(6_MiB);
  store().put("k", as_bytes(content));
  EXPECT_EQ(bucket.asked("UploadPart").size(), 3u);
  instead_of("UploadPart", lie, 100);
  EXPECT_EQ(error_of([&] { store().put("k2", as_bytes(content)); }).kind(), Kind::corrupt);
  drain();
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(WriterTest, ASlowedDownPartIsSentAgainWithTheSameBytes) {
  instead_of("UploadPart", {503, {}, error_xml("SlowDown")});
  const std::string content = random_bytes(6_MiB);
  store().put("k", as_bytes(content));
  std::map<int, std::set<std::string>> bodies;
  for (const Asked& part : bucket.asked("UploadPart")) bodies[part.part].insert(part.request.body_sha256);
  EXPECT_EQ(bucket.asked("UploadPart").size(), 3u);
  EXPECT_EQ(bodies[1].size(), 1u);
  EXPECT_EQ(bodies[2].size(), 1u);
}

TEST_F(WriterTest, CreateWithRequestTimeoutIsTransient) {
  instead_of("CreateMultipartUpload", {400, {}, error_xml("RequestTimeout")});
  const std::string content = random_bytes(6_MiB);
  EXPECT_EQ(store().put("k", as_bytes(content)).bytes, content.size());
}

// versitygw says it where a removal took the folder that the object was about to be put into.
TEST_F(WriterTest, APutWhoseKeyIsSaidToBeMissingIsSentAgain) {
  instead_of("PutObject", {404, {}, error_xml("NoSuchKey")});
  EXPECT_EQ(store().put("k", as_bytes("x")).bytes, 1u);
}

TEST_F(WriterTest, AConditionOnAKeyThatIsGoneIsAConflictAtOnce) {
  instead_of("PutObject", {404, {}, error_xml("NoSuchKey")}, 9);
  const Error error =
      error_of([&] { store().put("k", as_bytes("x"), {.mode = store::Mode::if_match("\"e\"")}); });
  EXPECT_EQ(error.kind(), Kind::conflict) << error.what();
  EXPECT_EQ(bucket.asked("PutObject").size(), 1u);
}

TEST_F(WriterTest, TheClientsAttemptsWinOverTheUsualFive) {
  for (const int most : {1, 7}) {
    bucket.forget_asked();
    instead_of("PutObject", {.reset = true}, 99);
    S3Store patient{bucket.config(test::quick_client({.max_attempts = most}))};
    error_of([&] { patient.put("k", as_bytes("x")); });
    EXPECT_EQ(bucket.asked("PutObject").size(), static_cast<std::size_t>(most));
  }
}

TEST_F(WriterTest, AWriteMayNameItsChecksum) {
  store().put("named", as_bytes("x"), {.checksum = "crc32c"});
  EXPECT_EQ(bucket.asked("PutObject").back().request.headers.get("x-amz-checksum-crc32c").size(), 8u);
  store().put("none", as_bytes("x"), {.checksum = "none"});
  const auto headers = bucket.asked("PutObject").back().request.headers;
  for (const auto& [name, value] : headers) EXPECT_FALSE(name.starts_with("x-amz-checksum")) << name;
  EXPECT_EQ(error_of([&] { store().put("k", as_bytes("x"), {.checksum = "sha256"}); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([&] { store().put("k", as_bytes("x"), {.checksum = "bogus"}); }).kind(), Kind::refused);
}

TEST_F(WriterTest, AChecksumThatWasAskedForByNameIsNeverLeftOut) {
  for (const char* verb : {"PutObject", "CreateMultipartUpload", "UploadPart"}) {
    instead_of(verb, {400, {}, error_xml("InvalidRequest", "<Message>no checksum, please</Message>")}, 99);
    const std::string body(verb == std::string{"PutObject"} ? 1 : 6_MiB, 'x');
    const Error error = error_of([&] { store().put("k", as_bytes(body), {.checksum = "crc32c"}); });
    EXPECT_EQ(error.kind(), Kind::refused) << verb;
    drain();  // the abort asks the hook, too
    bucket.instead = nullptr;
    store().put("again", as_bytes("x"));
    EXPECT_TRUE(bucket.asked("PutObject").back().request.headers.has("x-amz-checksum-crc64nvme")) << verb;
    bucket.forget_asked();
  }
}

TEST_F(WriterTest, ALostAnswerToCreateIsCountedAsAnOrphan) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CreateMultipartUpload" || asked.nth > 1) return std::nullopt;
    return Reply{.reset = true};
  };
  const std::string content = random_bytes(6_MiB);
  store().put("k", as_bytes(content));
  EXPECT_EQ(http->statistics().uploads_orphaned, 1u);
  EXPECT_EQ(bucket.uploads().size(), 1u);
}

TEST_F(WriterTest, ReapAbortsTheOrphanAndNothingElse) {
  bucket.open_upload("theirs", {"k", {}, {{1, {"\"e\"", 5}}}});
  bucket.open_upload("longer", {"k2", {}, {}});
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CreateMultipartUpload" || asked.nth > 1) return std::nullopt;
    return Reply{.reset = true};
  };
  Config config = bucket.config(http);
  config.reap = true;
  const std::string content = random_bytes(6_MiB);
  S3Store{config}.put("k", as_bytes(content));
  drain();
  EXPECT_EQ(bucket.uploads().size(), 2u);
  EXPECT_TRUE(bucket.uploads().contains("theirs"));
  EXPECT_TRUE(bucket.uploads().contains("longer"));
}

// libcurl sends again what a used connection swallowed, and tells nobody.
TEST_F(WriterTest, ReapAbortsTheOrphanOfACreateThatAUsedConnectionLost) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CreateMultipartUpload" || asked.nth > 1) return std::nullopt;
    return Reply{.reset = true};
  };
  Config config = bucket.config(http);
  config.reap = true;
  S3Store used{config};
  used.put("first", as_bytes("x"));
  const std::string content = random_bytes(6_MiB);
  used.put("k", as_bytes(content));
  drain();
  EXPECT_EQ(bucket.asked("CreateMultipartUpload").size(), 2u);
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(WriterTest, ACreateWhoseAnswerNobodyCanReadIsAnOrphanAndReapAbortsIt) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CreateMultipartUpload") return std::nullopt;
    return Reply{.status = 200, .body = "<InitiateMultipartUploadResult><UploadI"};
  };
  Config config = bucket.config(http);
  const std::string content = random_bytes(6_MiB);
  const auto put = [&](const std::string& key) { S3Store{config}.put(key, as_bytes(content)); };
  EXPECT_EQ(error_of([&] { put("left"); }).kind(), Kind::corrupt);
  EXPECT_EQ(http->statistics().uploads_orphaned, 1u);
  config.reap = true;
  EXPECT_EQ(error_of([&] { put("reaped"); }).kind(), Kind::corrupt);
  drain();
  ASSERT_EQ(bucket.uploads().size(), 1u);
  EXPECT_EQ(bucket.uploads().begin()->second.key, "left");
}

TEST_F(WriterTest, WhatWasExpectedIsComparedBeforeAnythingIsVisible) {
  const std::string content = random_bytes(6_MiB);
  const Digest wrong = Digest::parse(Algorithm::sha256, std::string(64, '0'));
  for (const std::size_t size : {std::size_t{10}, content.size()}) {
    const Bytes bytes = as_bytes(content).first(size);
    EXPECT_EQ(error_of([&] { store().put("k", bytes, {.expected = {wrong}}); }).kind(), Kind::corrupt);
    MemorySource source{bytes};
    EXPECT_EQ(error_of([&] { store().put("k", source, {.expected = {wrong}}); }).kind(), Kind::corrupt);
    MemorySource longer{bytes};
    EXPECT_EQ(error_of([&] { store().put("k", longer, {.length = size - 1}); }).kind(), Kind::corrupt);
    MemorySource shorter{bytes};
    EXPECT_EQ(error_of([&] { store().put("k", shorter, {.length = size + 1}); }).kind(), Kind::corrupt);
  }
  EXPECT_TRUE(bucket.asked("PutObject").empty());
  EXPECT_TRUE(bucket.asked("CompleteMultipartUpload").empty());
  expect_nothing_left();
}

TEST_F(WriterTest, ASourceThatBreaksLeavesNothing) {
  const std::string content = random_bytes(12_MiB);
  MemorySource inner{as_bytes(content)};
  SlowSource source{inner, 100'000};
  source.break_at(11_MiB, Error{Kind::lost, "the source broke", {.side = Side::source}});
  const Error error = error_of([&] { store().put("k", source); });
  EXPECT_EQ(error.facts().side, Side::source);
  expect_nothing_left();
}

TEST_F(WriterTest, ConditionsGoOnTheRequestThatPublishes) {
  const std::string content = random_bytes(6_MiB);
  store().put("small", as_bytes("x"), {.mode = store::Mode::create()});
  store().put("large", as_bytes(content), {.mode = store::Mode::create()});
  EXPECT_EQ(bucket.asked("PutObject").at(0).request.headers.get("if-none-match"), "*");
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").at(0).request.headers.get("if-none-match"), "*");
  EXPECT_FALSE(bucket.asked("CreateMultipartUpload").at(0).request.headers.has("if-none-match"));
  EXPECT_EQ(
      error_of([&] { store().put("large", as_bytes(content), {.mode = store::Mode::create()}); }).kind(),
      Kind::conflict);
  drain();
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(WriterTest, AnUnknownConditionalIsRefusedUnlessTrusted) {
  const store::WriteOptions create{.mode = store::Mode::create()};
  EXPECT_EQ(error_of([&] { store("other").put("k", as_bytes("x"), create); }).kind(), Kind::refused);
  EXPECT_TRUE(bucket.asked("PutObject").empty());
  Config config = bucket.config(http, "other");
  config.conditional = Conditional::trust;
  EXPECT_EQ(S3Store{config}.put("k", as_bytes("x"), create).bytes, 1u);
}

TEST_F(WriterTest, AnUnknownEndpointIsAskedOnceHoweverManyWriters) {
  Config config = bucket.config(http, "");
  S3Store unknown{config};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] { unknown.put("k" + std::to_string(i), as_bytes("x")); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bucket.asked("HeadBucket").size(), 1u);
  EXPECT_EQ(unknown.capabilities().provider, "other");
}

TEST_F(WriterTest, ALostPutIsSettledByTheToken) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "PutObject") return std::nullopt;
    return Reply{.reset = true};
  };
  const Receipt receipt = store().put("k", as_bytes("x"));
  EXPECT_EQ(receipt.etag, bucket.objects().at("k").etag);
}

TEST_F(WriterTest, ABodyThatArrivedWrongAfterALostPutIsSettledByTheToken) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "PutObject") return std::nullopt;
    if (asked.nth == 1) return Reply{.reset = true};
    return Reply{400, {}, error_xml("BadDigest")};
  };
  const Receipt receipt = store().put("k", as_bytes("x"));
  EXPECT_EQ(receipt.etag, bucket.objects().at("k").etag);
}

TEST_F(WriterTest, A412AfterALostCreateIsSettledByTheToken) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "PutObject" || asked.nth > 1) return std::nullopt;
    return Reply{.reset = true};
  };
  const Receipt receipt = store().put("k", as_bytes("x"), {.mode = store::Mode::create()});
  EXPECT_EQ(receipt.etag, bucket.objects().at("k").etag);
  EXPECT_EQ(bucket.asked("PutObject").size(), 2u);
}

TEST_F(WriterTest, AFailingEndpointIsLostAndNotInDoubtWhereNothingIsThere) {
  instead_of("PutObject", {500, {}, error_xml("InternalError")}, 100);
  EXPECT_EQ(error_of([&] { store().put("k", as_bytes("x")); }).kind(), Kind::lost);
}

TEST_F(WriterTest, ADrawBetweenTwoConditionalWritersIsPlayedAgain) {
  instead_of("PutObject", {409, {}, error_xml("ConditionalRequestConflict")});
  struct Told : Progress {
    void report(const ProgressReport& report) override { states.push_back(report.state); }
    std::vector<TransferState> states;
  } told;
  EXPECT_EQ(store().put("k", as_bytes("x"), {.mode = store::Mode::create()}, {.progress = &told}).bytes, 1u);
  EXPECT_EQ(told.states.back(), TransferState::completed);
  EXPECT_EQ(std::ranges::count(told.states, TransferState::failed), 0);
}

TEST_F(WriterTest, AStopWhileAPartHangsIsCancelledAndAborts) {
  std::stop_source stop;  // parts on their way may still arrive when this test is over
  bucket.instead = [stop](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "UploadPart") stop.request_stop();
    return std::nullopt;
  };
  const std::string content = random_bytes(11_MiB);
  const Error error = error_of([&] { store().put("k", as_bytes(content), {}, {.stop = stop.get_token()}); });
  EXPECT_EQ(error.kind(), Kind::cancelled);
  expect_nothing_left();
}

TEST_F(WriterTest, AStopAfterCompleteWasSentIsInDoubtAndSettlingGoesOn) {
  std::stop_source stop;
  bucket.instead = [stop](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload" || asked.nth > 1) return std::nullopt;
    stop.request_stop();
    return Reply{.reset = true};
  };
  const std::string content = random_bytes(6_MiB);
  const Error error = error_of([&] { store().put("k", as_bytes(content), {}, {.stop = stop.get_token()}); });
  EXPECT_EQ(error.kind(), Kind::in_doubt);
  EXPECT_NE(error.message().find("s3://bucket/k"), std::string::npos);
  store().drain({.deadline = Deadline::after(test::kPatience)});
  EXPECT_EQ(bucket.objects().at("k").bytes, content.size());
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(WriterTest, ManyWritersInASmallBudgetAllFinish) {
  const auto tight = Budget::create(8_MiB);
  S3Store crowded{bucket.config(test::quick_client({.budget = tight}))};
  const std::string content = random_bytes(11_MiB);
  std::vector<std::thread> threads;
  std::atomic<int> finished = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      MemorySource source{as_bytes(content)};
      if (crowded.put("k" + std::to_string(i), source).bytes == content.size()) ++finished;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(finished, 6);
  EXPECT_LE(tight->statistics().peak, 6 * 9_MiB);
}

TEST_F(WriterTest, OnlyWhatIsGrantedWhereOthersHoldHalfOfTheBudget) {
  const auto shared = Budget::create(32_MiB);
  const auto others = shared->try_charge(16_MiB);
  S3Store crowded{bucket.config(test::quick_client({.budget = shared}))};
  const std::string content = random_bytes(27_MiB);
  MemorySource source{as_bytes(content)};
  EXPECT_EQ(crowded.put("k", source).bytes, content.size());
  // Parts of 5 MiB: the second begins within the 8 MiB that are granted.
  EXPECT_LE(shared->statistics().peak, 16_MiB + 2 * 5_MiB);
}

TEST_F(WriterTest, ADroppedWriterAborts) {
  const std::string content = random_bytes(11_MiB);
  {
    auto writer = store().open_writer("k");
    writer->write(as_bytes(content));
  }
  expect_nothing_left();
  EXPECT_EQ(http->statistics().uploads_aborted, 1u);
}

TEST_F(WriterTest, AForkedChildNeitherEndsNorHarmsItsParentsWriter) {
  auto writer = store().open_writer("k", {});
  const std::string content = random_bytes(11_MiB);
  writer->write(as_bytes(content));
  const auto child = test::in_child([&] {
    int refused = 0;
    for (const auto& use : {std::function<void()>{[&] { writer->write(as_bytes("x")); }},
                            std::function<void()>{[&] { writer->finish(); }}}) {
      try {
        use();
      } catch (const std::logic_error&) {
        ++refused;
      }
    }
    writer->abort("by the child");
    writer.reset();
    return refused == 2 ? 0 : 1;
  });
  EXPECT_TRUE(child.in_time);
  EXPECT_EQ(child.code, 0);
  EXPECT_EQ(writer->finish().bytes, content.size());
  EXPECT_TRUE(bucket.asked("AbortMultipartUpload").empty());
  EXPECT_EQ(bucket.objects().at("k").bytes, content.size());
}

TEST_F(WriterTest, TheTokenIsWrittenUnlessSwitchedOffAndNeverShown) {
  store().put("with", as_bytes("x"));
  store().put("without", as_bytes("x"), {.token = false});
  const auto puts = bucket.asked("PutObject");
  EXPECT_EQ(puts.at(0).request.headers.get("x-amz-meta-penstock-token").size(), 36u);
  EXPECT_FALSE(puts.at(1).request.headers.has("x-amz-meta-penstock-token"));
  EXPECT_TRUE(store().head("with").metadata.empty());
}

}  // namespace
}  // namespace penstock::s3
