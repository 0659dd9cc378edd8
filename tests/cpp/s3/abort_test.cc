// Aborts that outlive whoever asked for them.
#include <cstdlib>

#include <gtest/gtest.h>
#include <unistd.h>

#include "penstock/s3/s3_store.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::Gate;
using test::Reply;
using test::ScriptedBucket;

// Opens its gate while statics are being destroyed.
struct OpenedAtExit {
  OpenedAtExit() = default;
  OpenedAtExit(const OpenedAtExit&) = delete;
  OpenedAtExit& operator=(const OpenedAtExit&) = delete;
  ~OpenedAtExit() { gate.open(); }
  Gate gate;
};

bool landed = false;

struct LastingBucket : ScriptedBucket {
  LastingBucket() = default;
  LastingBucket(const LastingBucket&) = delete;
  LastingBucket& operator=(const LastingBucket&) = delete;
  ~LastingBucket() { landed = uploads().empty() && asked("ListParts").size() == 1; }
};

// In a process of its own, whose statics are destroyed in the reverse of the order in which they are made:
// the table of providers, were it one of them; then the gate opens; then the exit waits for the abort, which
// asks that table once more.
void leave_while_an_abort_is_under_way() {
  std::atexit([] { _exit(landed ? 0 : 1); });
  static LastingBucket bucket;
  auto client = test::quick_client();
  static const OpenedAtExit late;
  bucket.early = [gate = late.gate](test::Exchange& exchange) {
    if (exchange.request().method == "DELETE") exchange.wait(gate);
  };
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart") return std::nullopt;
    return Reply{403, {}, error_xml("AccessDenied")};
  };
  {
    S3Store store{bucket.config(std::move(client))};
    const std::string body(6 << 20, 'x');
    error_of([&] { store.put("k", std::as_bytes(std::span{body})); });
  }
  std::exit(2);  // NOLINT(concurrency-mt-unsafe): what is tested
}

TEST(AbortDeathTest, TheExitWaitsForAnAbortThatNobodyElseHolds) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(leave_while_an_abort_is_under_way(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace penstock::s3
