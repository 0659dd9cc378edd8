#include <gtest/gtest.h>

#include "penstock/http/request.h"

namespace penstock::http {
namespace {

using namespace std::chrono_literals;

Verdict judge(int status, const Headers& headers = {}, const Error* fault = nullptr,
              std::string_view body = {}) {
  Request request;
  request.url = "https://user:hunter2@h.test/p?token=hunter2";
  return plain_policy()->judge(Attempt{.request = request,
                                       .status = status,
                                       .headers = headers,
                                       .body = body,
                                       .fault = fault,
                                       .at = WallTime{}});
}

TEST(PlainPolicy, accepts_every_2xx) {
  for (const int status : {200, 201, 204, 206, 299}) EXPECT_EQ(judge(status).action, Verdict::Action::accept);
}

TEST(PlainPolicy, statuses_become_kinds_and_classes) {
  struct Row {
    int status;
    Kind kind;
    RetryClass retry_class;
  };
  constexpr Row rows[] = {
      {302, Kind::refused, RetryClass::never},  {400, Kind::refused, RetryClass::never},
      {401, Kind::denied, RetryClass::never},   {403, Kind::denied, RetryClass::never},
      {404, Kind::missing, RetryClass::never},  {408, Kind::lost, RetryClass::transient},
      {409, Kind::conflict, RetryClass::never}, {410, Kind::missing, RetryClass::never},
      {412, Kind::conflict, RetryClass::never}, {416, Kind::refused, RetryClass::never},
      {429, Kind::busy, RetryClass::throttle},  {500, Kind::lost, RetryClass::transient},
      {501, Kind::refused, RetryClass::never},  {502, Kind::lost, RetryClass::transient},
      {503, Kind::lost, RetryClass::transient}, {504, Kind::lost, RetryClass::transient},
      {505, Kind::lost, RetryClass::never},
  };
  for (const Row& row : rows) {
    const Verdict verdict = judge(row.status);
    EXPECT_EQ(verdict.retry_class, row.retry_class) << row.status;
    EXPECT_EQ(verdict.action,
              row.retry_class == RetryClass::never ? Verdict::Action::fail : Verdict::Action::retry)
        << row.status;
    ASSERT_TRUE(verdict.error.has_value()) << row.status;
    EXPECT_EQ(verdict.error->kind(), row.kind) << row.status;
    EXPECT_EQ(verdict.error->facts().status, row.status);
  }
}

TEST(PlainPolicy, lost_connections_are_tried_again_and_deadlines_are_not) {
  const Error lost(Kind::lost, "reset"),
      tls(Kind::refused, "bad certificate", Facts{.code = std::string(code::kTls)});
  const Error late(Kind::lost, "late", Facts{.code = std::string(code::kDeadline)});
  const Error cut(Kind::lost, "cut", Facts{.code = std::string(code::kNotResumable)});
  EXPECT_EQ(judge(0, {}, &lost).action, Verdict::Action::retry);
  EXPECT_EQ(judge(0, {}, &lost).retry_class, RetryClass::transient);
  for (const Error* fault : {&tls, &late, &cut}) EXPECT_EQ(judge(0, {}, fault).action, Verdict::Action::fail);
}

TEST(PlainPolicy, passes_retry_after_on) {
  const Verdict verdict = judge(503, {{"Retry-After", "7"}});
  EXPECT_EQ(verdict.retry_after, 7s);
  EXPECT_EQ(verdict.error->facts().retry_after, 7s);
}

TEST(StatusError, quotes_the_body_and_hides_secrets) {
  const Verdict verdict =
      judge(403, {}, nullptr, "no\r\nentry, X-Amz-Signature=hunter2, " + std::string(5000, 'x'));
  const std::string message = verdict.error->message();
  EXPECT_NE(message.find("entry"), std::string::npos) << message;
  EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), 600u);
  EXPECT_EQ(verdict.error->facts().subject, "https://h.test/p");
}

TEST(Payload, reads_any_slice_and_stops_at_the_end) {
  const std::string text = "0123456789";
  for (const auto& payload : {text_payload(text), borrowed_payload(as_bytes(text))}) {
    EXPECT_EQ(payload->size(), 10u);
    std::array<std::byte, 4> out{};
    EXPECT_EQ(payload->read_at(3, out), 4u);
    EXPECT_EQ(as_text(out), "3456");
    EXPECT_EQ(payload->read_at(8, out), 2u);
    EXPECT_EQ(payload->read_at(10, out), 0u);
    EXPECT_EQ(payload->read_at(UINT64_MAX, out), 0u);
  }
  EXPECT_EQ(text_payload("")->size(), 0u);
}

}  // namespace
}  // namespace penstock::http
