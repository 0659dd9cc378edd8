#include "penstock/http/resume.h"

#include <string>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;

constexpr std::uint64_t kSize = 1'000'000;

class ResumeTest : public ::testing::Test {
 protected:
  ScriptedServer server_;
  Client client_{quick()};

  std::unique_ptr<Body> open(bool s3 = false) {
    CallOptions options;
    options.s3_resume = s3;
    return client_.open(get(server_.url("/a")), options);
  }
  // The first answer breaks at byte 300,000; `then` is what the request for the rest gets.
  Error broken_then(Script then, Resource first = {.size = kSize, .reset_after = 300'000}) {
    server_.on("/a", {script().serve(first), std::move(then)});
    const auto body = open();
    std::string got;
    const Error error = error_of([&] {
      std::vector<std::byte> buffer(65536);
      while (const auto n = body->read(buffer)) got.append(as_text(Bytes(buffer).first(n)));
    });
    EXPECT_TRUE(got == pattern(0, got.size()));
    EXPECT_LE(got.size(), 300'000u);
    return error;
  }
};

TEST_F(ResumeTest, a_broken_body_goes_on_at_its_byte) {
  server_.on("/a",
             {script().serve({.size = kSize, .reset_after = 300'000}),
              script().serve({.size = kSize, .reset_after = 300'000}), script().serve({.size = kSize})});
  const auto body = open();
  EXPECT_TRUE(read_all(*body) == pattern(0, kSize));
  EXPECT_EQ(body->resumes(), 2);
  EXPECT_EQ(body->attempts(), 3);
  const auto seen = server_.requests("/a");
  EXPECT_FALSE(seen.at(0).headers.has("range"));
  EXPECT_TRUE(seen.at(1).headers.get("range").starts_with("bytes="));
  EXPECT_EQ(seen.at(1).headers.get("if-range"), "\"first\"");
  EXPECT_EQ(client_.statistics().resumes, 2u);
}

TEST_F(ResumeTest, on_s3_the_rest_is_asked_for_by_if_match) {
  server_.on("/a",
             {script().serve({.size = kSize, .reset_after = 300'000}), script().serve({.size = kSize})});
  EXPECT_TRUE(read_all(*open(true)) == pattern(0, kSize));
  EXPECT_EQ(server_.requests("/a").at(1).headers.get("if-match"), "\"first\"");
}

TEST_F(ResumeTest, a_server_that_ignores_range_is_read_over_and_compared) {
  server_.on("/a", {script().serve({.size = kSize, .reset_after = 300'000}),
                    script().serve({.size = kSize, .ranges = false})});
  EXPECT_TRUE(read_all(*open()) == pattern(0, kSize));
}

TEST_F(ResumeTest, other_bytes_under_the_same_etag_are_changed) {
  const Error error = broken_then(respond(200, {{"ETag", "\"first\""}}, std::string(kSize, 'x')));
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(error.facts().code, code::kChanged);
}

TEST_F(ResumeTest, another_etag_is_changed) {
  const Error error = broken_then(script().serve({.size = kSize, .etag = "\"second\""}));
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(error.facts().code, code::kChanged);
  EXPECT_EQ(error.facts().side, Side::source);
}

TEST_F(ResumeTest, a_412_is_changed) {
  EXPECT_EQ(broken_then(respond(412)).facts().code, code::kChanged);
}

// Chunked, and cut after its last byte but before its last chunk: only the 416 tells that there is no more.
TEST_F(ResumeTest, a_416_that_names_what_is_there_already_is_the_end) {
  const Script cut = script()
                         .bytes(
                             "HTTP/1.1 200 OK\r\nETag: \"first\"\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "5\r\nhello\r\n")
                         .close();
  server_.on("/a", {cut, respond(416, {{"Content-Range", "bytes */5"}})});
  const auto body = open();
  EXPECT_EQ(read_all(*body), "hello");
  EXPECT_EQ(body->resumes(), 1);
  EXPECT_EQ(server_.requests("/a").at(1).headers.get("range"), "bytes=5-");
  EXPECT_EQ(server_.requests("/a").at(1).headers.get("if-range"), "\"first\"");
}

TEST_F(ResumeTest, a_416_that_names_another_size_is_changed) {
  for (const char* range : {"bytes */299999", "bytes */2000000"}) {
    const Error error = broken_then(respond(416, {{"Content-Range", range}}));
    EXPECT_EQ(error.kind(), Kind::conflict) << range << ": " << error.what();
    EXPECT_EQ(error.facts().code, code::kChanged) << range;
  }
  EXPECT_EQ(broken_then(respond(416)).facts().code, code::kChanged);
}

TEST_F(ResumeTest, a_416_that_names_no_size_is_corrupt) {
  for (const char* range : {"bytes */*", "bytes 0-1/2", "soon"})
    EXPECT_EQ(broken_then(respond(416, {{"Content-Range", range}})).kind(), Kind::corrupt) << range;
}

TEST_F(ResumeTest, a_206_without_content_range_is_corrupt) {
  EXPECT_EQ(broken_then(respond(206, {{"ETag", "\"first\""}}, "lies")).kind(), Kind::corrupt);
}

TEST_F(ResumeTest, a_206_for_other_bytes_is_corrupt) {
  const Error error =
      broken_then(respond(206, {{"ETag", "\"first\""}, {"Content-Range", "bytes 5-8/1000000"}}, "lies"));
  EXPECT_EQ(error.kind(), Kind::corrupt);
}

TEST_F(ResumeTest, a_weak_validator_does_not_resume) {
  const Error error =
      broken_then(respond(200), {.size = kSize, .etag = "W/\"weak\"", .reset_after = 300'000});
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().code, code::kNotResumable);
  EXPECT_EQ(server_.requests("/a").size(), 1u);
}

// Its Last-Modified is a minute old, and so strong enough to resume by.
Resource dated(std::string etag, std::optional<std::uint64_t> reset_after = {}) {
  return {.size = kSize,
          .etag = std::move(etag),
          .last_modified = "Sun, 06 Nov 1994 08:48:37 GMT",
          .date = "Sun, 06 Nov 1994 08:49:37 GMT",
          .reset_after = reset_after};
}

TEST_F(ResumeTest, a_last_modified_a_minute_old_is_strong_enough) {
  const Resource old = dated("", 300'000);
  server_.on("/a", {script().serve(old), script().serve(dated(""))});
  EXPECT_TRUE(read_all(*open()) == pattern(0, kSize));
  EXPECT_EQ(server_.requests("/a").at(1).headers.get("if-range"), old.last_modified);
}

TEST_F(ResumeTest, another_last_modified_is_changed_whatever_weak_etag_comes_with_it) {
  const Resource old = dated("W/\"one\"", 300'000);
  const Resource later{
      .size = kSize, .etag = "W/\"two\"", .last_modified = "Sun, 06 Nov 1994 08:48:38 GMT", .ranges = false};
  EXPECT_EQ(broken_then(script().serve(later), old).facts().code, code::kChanged);
}

TEST_F(ResumeTest, a_206_with_another_last_modified_is_changed) {
  const Resource old = dated("", 300'000);
  const Error error = broken_then(respond(206,
                                          {{"Content-Range", "bytes 300000-999999/1000000"},
                                           {"Last-Modified", "Sun, 06 Nov 1994 08:48:38 GMT"}},
                                          std::string(700'000, 'x')),
                                  old);
  EXPECT_EQ(error.facts().code, code::kChanged);
}

TEST_F(ResumeTest, a_younger_last_modified_is_not) {
  const Error error = broken_then(respond(200), {.size = kSize,
                                                 .etag = "",
                                                 .last_modified = "Sun, 06 Nov 1994 08:49:00 GMT",
                                                 .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                                                 .reset_after = 300'000});
  EXPECT_EQ(error.facts().code, code::kNotResumable);
}

TEST_F(ResumeTest, a_server_that_breaks_again_and_again_without_progress_is_given_up) {
  server_.on("/a", {script().serve({.size = kSize, .reset_after = 300'000}), script().reset()});
  const auto body = open();
  const Error error = error_of([&] { read_all(*body); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().attempts, 5);
}

TEST_F(ResumeTest, progress_refills_the_attempts) {
  constexpr std::uint64_t kLarge = 20 << 20;
  server_.on("/a", script().serve({.size = kLarge, .reset_after = (1 << 20) + (1 << 19)}));
  const auto body = open();
  EXPECT_TRUE(read_all(*body) == pattern(0, kLarge));
  EXPECT_GT(body->attempts(), 10);
}

TEST_F(ResumeTest, another_weak_etag_is_changed_though_the_date_is_the_same) {
  for (const bool ranges : {true, false}) {
    Resource second = dated("W/\"second\"");
    second.ranges = ranges;
    const Error error = broken_then(script().serve(second), dated("W/\"first\"", 300'000));
    EXPECT_EQ(error.kind(), Kind::conflict) << error.what();
    EXPECT_EQ(error.facts().code, code::kChanged);
  }
}

TEST(ResumeValidators, whatever_is_sent_again_must_be_what_was_sent_first) {
  const Headers first({{"ETag", "W/\"a\""},
                       {"Last-Modified", "Sun, 06 Nov 1994 08:48:37 GMT"},
                       {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                       {"Content-Length", "10"}});
  const auto answered = [&](Headers second) {
    Resume resume(get("http://h/"), 200, first);
    EXPECT_TRUE(resume.possible());
    second.add("Content-Range", "bytes 5-9/10");
    return resume.check(206, second, 5, false);
  };
  EXPECT_EQ(answered({}), Resume::Answer::go_on);
  EXPECT_EQ(answered(Headers{{"ETag", "W/\"a\""}}), Resume::Answer::go_on);
  for (const auto& [name, value] : {std::pair{"ETag", "W/\"b\""}, std::pair{"ETag", "\"a\""},
                                    std::pair{"Last-Modified", "Sun, 06 Nov 1994 08:48:38 GMT"}}) {
    EXPECT_EQ(error_of([&] { answered(Headers{{name, value}}); }).facts().code, code::kChanged) << value;
  }
}

TEST_F(ResumeTest, a_read_over_that_breaks_may_go_on_by_range) {
  server_.on("/a", {script().serve({.size = kSize, .reset_after = 300'000}),
                    script().serve({.size = kSize, .reset_after = 1'000, .ranges = false}),
                    script().serve({.size = kSize})});
  EXPECT_TRUE(read_all(*open()) == pattern(0, kSize));
}

// "hello" has come; an object that is whole with three bytes is another, whatever its ETag says.
TEST_F(ResumeTest, a_whole_answer_that_ends_within_what_was_read_is_not_the_end) {
  const std::string head = "HTTP/1.1 200 OK\r\nETag: \"first\"\r\nTransfer-Encoding: chunked\r\n\r\n";
  server_.on("/a", {script().bytes(head + "5\r\nhello\r\n").close(),
                    script().bytes(head + "3\r\nhel\r\n0\r\n\r\n")});
  const auto body = open();
  EXPECT_EQ(error_of([&] { read_all(*body); }).kind(), Kind::lost);
}

TEST_F(ResumeTest, a_length_beside_chunks_says_nothing) {
  const std::string bytes = pattern(0, 100);
  server_.on("/a", script().bytes("HTTP/1.1 200 OK\r\nETag: \"first\"\r\nContent-Length: 5\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n64\r\n" +
                                  bytes + "\r\n0\r\n\r\n"));
  const auto body = open();
  EXPECT_FALSE(body->remaining());
  EXPECT_TRUE(read_all(*body) == bytes);
}

TEST_F(ResumeTest, a_chunked_206_longer_than_its_range_is_corrupt) {
  server_.on("/a",
             script().bytes("HTTP/1.1 206 Partial\r\nETag: \"first\"\r\nContent-Range: bytes 0-4/100\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n64\r\n" +
                            pattern(0, 100) + "\r\n0\r\n\r\n"));
  const auto body = client_.open(get(server_.url("/a"), {{"Range", "bytes=0-4"}}));
  const Error error = error_of([&] { read_all(*body); });
  EXPECT_EQ(error.kind(), Kind::corrupt) << error.what();
  EXPECT_EQ(error.facts().code, "long_body");
}

TEST_F(ResumeTest, a_ring_too_small_for_what_comes_at_once_is_an_error_and_no_wait) {
  ClientOptions options = quick();
  options.ring_bytes = 500;
  Client client(options);
  server_.on("/a", script().serve({.size = kSize}));
  const auto body = client.open(get(server_.url("/a")));
  const Error error = error_of([&] { read_all(*body); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, "ring_bytes");
}

TEST_F(ResumeTest, buffers_too_small_for_what_comes_at_once_are_made_large_enough) {
  server_.on("/a", script().serve({.size = kSize}));
  const auto body = client_.open(get(server_.url("/a")), {.ring_bytes = 1000, .receive_bytes = 100});
  EXPECT_EQ(read_all(*body), pattern(0, kSize));
}

TEST_F(ResumeTest, a_rewind_asks_a_full_budget_for_nothing_it_did_not_have) {
  ClientOptions options = quick();
  options.budget = Budget::create(1_MiB);
  options.slot_wait = std::chrono::milliseconds{100};
  Client client(options);
  server_.on("/a", script().serve({.size = kSize}));
  const auto body = client.open(get(server_.url("/a")), {.ring_bytes = 64 * 1024});
  body->mark();
  std::vector<std::byte> first(1000);
  read_full(*body, first);
  const Charge others = options.budget->overdraw(1_MiB);
  body->rewind();
  EXPECT_EQ(read_all(*body), pattern(0, kSize));
}

TEST_F(ResumeTest, only_a_strong_etag_and_ranges_make_sure_of_the_same_bytes) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "the source has no strong ETag"},
      {"ETag: W/\"weak\"\r\nAccept-Ranges: bytes\r\n", "the source has no strong ETag"},
      {"ETag: \"strong\"\r\n", "the source offers no ranges"},
      {"ETag: \"strong\"\r\nAccept-Ranges: none\r\n", "the source offers no ranges"},
      {"ETag: \"strong\"\r\nAccept-Ranges: Bytes\r\n", ""}};
  for (const auto& [fields, obstacle] : cases) {
    server_.on("/a", script().bytes(head + fields + "\r\nx"));
    EXPECT_EQ(client_.open(get(server_.url("/a")))->repeat_obstacle(), obstacle) << fields;
  }
  server_.on("/a", script().serve({.size = kSize}));
  const auto part = client_.open(get(server_.url("/a"), {{"Range", "bytes=1-2"}}));
  EXPECT_EQ(part->repeat_obstacle(), "");
}

TEST_F(ResumeTest, mark_and_rewind_give_the_same_bytes_again) {
  server_.on("/a", script().serve({.size = kSize}));
  const auto body = open(true);
  ASSERT_TRUE(body->rewindable());
  std::vector<std::byte> first(100'000);
  ASSERT_EQ(read_full(*body, first), first.size());
  body->mark();
  EXPECT_TRUE(read_all(*body) == pattern(100'000, kSize - 100'000));
  body->rewind();
  EXPECT_EQ(body->remaining(), kSize - 100'000);
  EXPECT_TRUE(read_all(*body) == pattern(100'000, kSize - 100'000));
  EXPECT_EQ(server_.requests("/a").back().headers.get("if-match"), "\"first\"");
}

TEST_F(ResumeTest, rewinding_a_changed_object_is_a_conflict) {
  server_.on("/a", {script().serve({.size = kSize}), respond(412)});
  const auto body = open(true);
  body->mark();
  read_all(*body);
  body->rewind();
  EXPECT_EQ(error_of([&] { read_all(*body); }).facts().code, code::kChanged);
}

TEST_F(ResumeTest, a_range_of_the_caller_s_own_is_gone_on_with) {
  server_.on("/a", {script().serve({.size = kSize, .reset_after = 1000}), script().serve({.size = kSize})});
  const auto body = client_.open(get(server_.url("/a"), {{"Range", "bytes=500-99999"}}));
  EXPECT_EQ(body->status(), 206);
  EXPECT_EQ(body->remaining(), 99'500u);
  EXPECT_TRUE(read_all(*body) == pattern(500, 99'500));
  EXPECT_EQ(server_.requests("/a").at(1).headers.get("range"), "bytes=1500-99999");
}

}  // namespace
}  // namespace penstock::http
