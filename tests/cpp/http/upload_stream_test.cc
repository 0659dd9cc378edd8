#include "penstock/http/upload_stream.h"

#include <array>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/http/client.h"

#include "http/asking.h"
#include "support/errors.h"
#include "support/quick_client.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;
using test::error_of;
using test::pattern;
using test::respond;
using test::script;

struct UploadStreamTest : ::testing::Test {
  test::ScriptedServer server;
  std::shared_ptr<Budget> budget = Budget::create(16_MiB);
  std::shared_ptr<Client> client = test::quick_client({.budget = budget});
  std::promise<Outcome> outcome;

  void submit(const std::shared_ptr<UploadStream>& body, CallOptions options = {}) {
    Request request{
        .method = "PUT", .url = server.url("/a"), .headers = {}, .secret_headers = {}, .body = body};
    client->submit(std::move(request), std::move(options), [this, body](Outcome said) {
      body->close();
      outcome.set_value(std::move(said));
    });
  }
  Error error() { return std::get<Error>(outcome.get_future().get()); }
  Response response() { return std::get<Response>(outcome.get_future().get()); }
  // Until the I/O thread has done what was posted to it.
  void turn() {
    for (int turn = 0; turn < 4; ++turn) {
      std::promise<void> turned;
      client->post([&] { turned.set_value(); });
      turned.get_future().wait();
    }
  }
  // Each try of it, whole.
  static int make(UploadStream& body, std::string_view content) {
    int tries = 0;
    while (body.wait_for_try()) {
      ++tries;
      for (std::size_t at = 0; at < content.size(); at += 10'000) {
        if (!body.write(as_bytes(content.substr(at, 10'000)))) break;
      }
    }
    return tries;
  }
};

TEST_F(UploadStreamTest, WhatIsMadeArrivesAndIsMadeAgainForAnotherTry) {
  server.on("/a", {script().read_body(100'000).reset(), respond(503), respond(200)});
  const std::string content = pattern(0, 300'000);
  const auto body = client->upload_stream(content.size());
  submit(body);
  EXPECT_EQ(make(*body, content), 3);
  EXPECT_EQ(response().status, 200);
  EXPECT_TRUE(server.requests().back().body == content);
  EXPECT_EQ(client->statistics().ring_bytes, UploadStream::kRingBytes + UploadStream::kRoomBytes);
}

TEST_F(UploadStreamTest, NothingIsAskedOfTheServerBeforeTheFirstByteIsThere) {
  server.on("/a", respond(200));
  const auto body = client->upload_stream(1);
  submit(body);
  ASSERT_TRUE(body->wait_for_try());
  turn();
  EXPECT_TRUE(client->statistics().hosts.empty());
  EXPECT_TRUE(body->write(as_bytes("x")));
  EXPECT_FALSE(body->wait_for_try());
  EXPECT_EQ(response().status, 200);
}

TEST_F(UploadStreamTest, ABodyOfNoBytesIsSentToo) {
  server.on("/a", respond(200));
  const auto body = client->upload_stream(0);
  submit(body);
  EXPECT_EQ(make(*body, ""), 1);
  EXPECT_EQ(response().status, 200);
}

TEST_F(UploadStreamTest, ATryThatEndsWakesItsMakerOutOfAWrite) {
  test::Gate gate;
  server.on("/a", {script().wait(gate).reset(), respond(200)});
  const std::string content = pattern(0, 20'000'000);
  const auto body = client->upload_stream(content.size());
  submit(body);
  std::thread opening{[&] {
    EXPECT_TRUE(gate.reached());
    gate.open();
  }};
  EXPECT_EQ(make(*body, content), 2);
  opening.join();
  EXPECT_EQ(response().status, 200);
}

TEST_F(UploadStreamTest, AMakerThatPausesTooLongIsTheSourcesFault) {
  server.on("/a", script().read_body().stall());
  const auto body = client->upload_stream(100);
  CallOptions options;
  options.max_attempts = 2;
  options.starved = milliseconds{50};
  submit(body, options);
  int tries = 0;
  while (body->wait_for_try()) {
    ++tries;
    EXPECT_TRUE(body->write(as_bytes("x")));
  }
  EXPECT_EQ(tries, 2);
  const Error starved = error();
  EXPECT_EQ(starved.facts().code, "starved");
  EXPECT_EQ(starved.facts().side, Side::source);
}

TEST_F(UploadStreamTest, AMakerWhoWaitsEndsWithItsCall) {
  std::stop_source stop;
  const auto never_wanted = client->upload_stream(1, {.stop = stop.get_token()});
  const auto late = client->upload_stream(1, {.deadline = Deadline::after(milliseconds{10})});
  EXPECT_EQ(error_of([&] { late->wait_for_try(); }).facts().code, code::kDeadline);
  stop.request_stop();
  EXPECT_EQ(error_of([&] { never_wanted->wait_for_try(); }).kind(), Kind::cancelled);

  const auto full = client->upload_stream(1_MiB, {.deadline = Deadline::after(milliseconds{50})});
  full->begin([] {});
  ASSERT_TRUE(full->wait_for_try());
  const std::string more(1_MiB, 'x');
  EXPECT_EQ(error_of([&] { full->write(as_bytes(more)); }).facts().code, code::kDeadline);
}

// The far end may have the last byte, and have answered, before its maker has left write().
TEST_F(UploadStreamTest, AWriteThatGaveTheLastByteIsWholeWhateverHappensThen) {
  const auto body = client->upload_stream(100);
  body->begin([] {});
  ASSERT_TRUE(body->wait_for_try());
  const std::string content(100, 'x');
  body->close();
  EXPECT_FALSE(body->write(as_bytes(content)));

  for (int round = 0; round < 200; ++round) {
    const auto raced = client->upload_stream(content.size());
    raced->begin([] {});
    ASSERT_TRUE(raced->wait_for_try());
    std::thread far_end{[&] {
      std::array<std::byte, 100> bytes{};
      while (!raced->read(bytes)) std::this_thread::yield();
      raced->close();
    }};
    EXPECT_TRUE(raced->write(as_bytes(content)));
    far_end.join();
  }
}

TEST_F(UploadStreamTest, AnotherBeginTakesTheFormerTrysPlace) {
  const auto body = client->upload_stream(2);
  int ready = 0;
  body->begin([&] { ready += 1; });
  ASSERT_TRUE(body->wait_for_try());
  body->begin([&] { ready += 10; });
  EXPECT_FALSE(body->write(as_bytes("a")));
  ASSERT_TRUE(body->wait_for_try());
  EXPECT_EQ(ready, 0);
  EXPECT_TRUE(body->write(as_bytes("a")));
  EXPECT_EQ(ready, 10);
  body->begin([&] { ready += 100; });
  EXPECT_FALSE(body->write(as_bytes("b")));
  ASSERT_TRUE(body->wait_for_try());
  EXPECT_TRUE(body->write(as_bytes("ab")));
  EXPECT_EQ(ready, 110);
}

TEST_F(UploadStreamTest, ItCannotBeReadAtAPlace) {
  const auto body = client->upload_stream(1);
  std::array<std::byte, 1> byte{};
  EXPECT_THROW(body->read_at(0, byte), std::logic_error);
}

}  // namespace
}  // namespace penstock::http
