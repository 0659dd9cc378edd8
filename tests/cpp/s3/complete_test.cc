#include "penstock/s3/complete.h"

#include <random>

#include <gtest/gtest.h>

#include "penstock/s3/attributes.h"
#include "penstock/s3/pending.h"

#include "s3/scripted_bucket.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_xml;
using test::Reply;
using test::ScriptedBucket;

constexpr std::uint64_t kPartBytes = 100;

class CompleteTest : public ::testing::Test {
 protected:
  // An upload of two parts, all there, that carries `token`.
  Publication publication(const std::string& id, const std::string& key = "k",
                          store::Mode mode = store::Mode::overwrite()) {
    const std::string token = "token-of-" + id;
    bucket.open_upload(id, {.key = key,
                            .fields = {{"x-amz-meta-penstock-token", token}},
                            .parts = {{1, {"\"one\"", kPartBytes}}, {2, {"\"two\"", kPartBytes}}}});
    return {.upload = {key, id},
            .identity = {.key = key, .token = token, .bytes = 2 * kPartBytes, .checksum = {}, .begun = {}},
            .mode = mode,
            .parts = {{1, kPartBytes, "\"one\"", ""}, {2, kPartBytes, "\"two\"", ""}}};
  }

  PublishOutcome complete(Publication publication) {
    Pending<PublishOutcome> pending;
    complete_and_settle(client(), std::move(publication),
                        [pending](PublishOutcome outcome) { pending.set(outcome); });
    return pending.wait(Call{.deadline = Deadline::after(test::kPatience)}, "test");
  }

  std::shared_ptr<Client> client() {
    if (!client_) client_ = std::make_shared<Client>(bucket.config(http));
    return client_;
  }

  void reply_to_complete(Reply reply, int times = 1) {
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "CompleteMultipartUpload" || asked.nth > times) return std::nullopt;
      return reply;
    };
  }

  void expect_failure(const PublishOutcome& outcome, Kind kind) {
    ASSERT_TRUE(std::holds_alternative<Error>(outcome));
    EXPECT_EQ(std::get<Error>(outcome).kind(), kind) << std::get<Error>(outcome).what();
    http->drain(Call{.deadline = Deadline::after(test::kPatience)});
    EXPECT_TRUE(bucket.objects().empty());
    EXPECT_TRUE(bucket.uploads().empty()) << "an upload was left open";
  }

  ScriptedBucket bucket;
  std::shared_ptr<http::Client> http = test::quick_client();
  std::shared_ptr<Client> client_;
};

TEST_F(CompleteTest, ACompletedUploadIsPublished) {
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
  EXPECT_EQ(std::get<Published>(outcome).etag, bucket.objects().at("k").etag);
}

TEST_F(CompleteTest, A200WithInternalErrorIsSettledAndSentAgain) {
  reply_to_complete({200, {}, error_xml("InternalError")});
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
  EXPECT_EQ(bucket.asked("HeadObject").size(), 2u);  // to settle, and to confirm what a second try is told
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 2u);
}

// What versitygw says after it was killed while it assembled: the upload is taken up, and nothing comes of
// it.
constexpr std::string_view kTakenUp =
    "<CompleteMultipartUploadResult><ETag>\"soon\"</ETag></CompleteMultipartUploadResult>";

TEST_F(CompleteTest, ASuccessThatIsToldToASecondTryAndIsNoneIsInDoubt) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return asked.nth == 1 ? Reply{.reset = true} : Reply{200, {}, std::string{kTakenUp}};
  };
  bucket.put("k", {"what was there before", 21, "\"before\"", {}});
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Error>(outcome));
  EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::in_doubt) << std::get<Error>(outcome).what();
  EXPECT_EQ(std::get<Error>(outcome).facts().upload_id, "u");
  EXPECT_EQ(bucket.asked("HeadObject").size(), 1u + 5u);
}

TEST_F(CompleteTest, ASuccessThatIsToldToASecondTryMayTakeItsTimeToBeSeen) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "CompleteMultipartUpload")
      return asked.nth == 1 ? Reply{.reset = true} : Reply{200, {}, std::string{kTakenUp}};
    if (asked.verb != "HeadObject" || asked.nth < 4) return std::nullopt;
    return Reply{
        200, {{"ETag", "\"soon\""}, {"Content-Length", "200"}, {"x-amz-meta-penstock-token", "token-of-u"}}};
  };
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
}

TEST_F(CompleteTest, ASuccessThatMayNotBeLookedForIsBelieved) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "HeadObject") return Reply{403};
    if (asked.verb == "CompleteMultipartUpload" && asked.nth == 1) return Reply{.reset = true};
    return std::nullopt;
  };
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
}

TEST_F(CompleteTest, WhatIsToBeConfirmedAndHasAnotherSizeIsTakenBack) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "HeadObject") return std::nullopt;
    return Reply{
        200, {{"ETag", "\"cut\""}, {"Content-Length", "150"}, {"x-amz-meta-penstock-token", "token-of-u"}}};
  };
  Publication distrusted = publication("u");
  distrusted.confirm = true;
  expect_failure(complete(std::move(distrusted)), Kind::corrupt);
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 1u);
  EXPECT_EQ(bucket.asked("DeleteObject").front().request.headers.get("if-match"), "\"cut\"");
}

TEST_F(CompleteTest, WhatASettlingFindsOfAnotherSizeIsTakenBack) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "CompleteMultipartUpload") return Reply{.reset = true};
    if (asked.verb != "HeadObject") return std::nullopt;
    return Reply{
        200, {{"ETag", "\"cut\""}, {"Content-Length", "150"}, {"x-amz-meta-penstock-token", "token-of-u"}}};
  };
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Error>(outcome));
  EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::corrupt) << std::get<Error>(outcome).what();
  EXPECT_EQ(bucket.asked("DeleteObject").size(), 1u);
}

TEST_F(CompleteTest, AFirstSuccessIsBelievedThoughAnotherObjectIsThereByNow) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb == "HeadObject") return Reply{200, {{"ETag", "\"theirs\""}, {"Content-Length", "6"}}};
    return std::nullopt;
  };
  Publication distrusted = publication("u");
  distrusted.confirm = true;
  const PublishOutcome outcome = complete(std::move(distrusted));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
}

TEST_F(CompleteTest, AConditionOnWhatIsGoneIsAConflictAndAborts) {
  reply_to_complete({404, {}, error_xml("NoSuchKey")});
  expect_failure(complete(publication("u", "k", store::Mode::if_match("\"seen\""))), Kind::conflict);
}

TEST_F(CompleteTest, AnotherChecksumOfTheWholeIsCorruptWhicheverItIs) {
  for (const Algorithm algorithm : {Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32}) {
    const std::string name = "Checksum" + s3_name(algorithm);
    reply_to_complete({200,
                       {},
                       "<CompleteMultipartUploadResult><ETag>\"e\"</ETag><" + name + ">AAAA</" + name +
                           "><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"},
                      9);
    Publication ours = publication("u-" + name);
    ours.identity.known = Hasher{algorithm}.digest();
    const PublishOutcome outcome = complete(std::move(ours));
    ASSERT_TRUE(std::holds_alternative<Error>(outcome)) << name;
    EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::corrupt) << name;
  }
}

TEST_F(CompleteTest, A200WithAccessDeniedIsDeniedAndAborts) {
  reply_to_complete({200, {}, error_xml("AccessDenied")});
  expect_failure(complete(publication("u")), Kind::denied);
}

TEST_F(CompleteTest, A200WithCutOffXmlIsSettled) {
  bucket.afterwards = [](const Asked& asked, const Reply& reply) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return Reply{200, {}, reply.body.substr(0, 30)};
  };
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 1u);
}

TEST_F(CompleteTest, DoneThenLostThenNoSuchUploadIsSuccessByToken) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return Reply{.reset = true};
  };
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "HeadObject" && asked.nth == 1) return Reply{404};  // not yet visible everywhere
    return std::nullopt;
  };
  const PublishOutcome outcome = complete(publication("u"));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 2u);
}

TEST_F(CompleteTest, NoSuchUploadTwiceAndNothingThereIsLost) {
  Publication gone = publication("u");
  gone.upload.upload_id = "never-was";
  const PublishOutcome outcome = complete(gone);
  ASSERT_TRUE(std::holds_alternative<Error>(outcome));
  EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::lost);
}

TEST_F(CompleteTest, NoSuchUploadTwiceAndAnothersObjectIsInDoubt) {
  bucket.put("k", {"theirs", 6, "\"theirs\"", {}});
  Publication gone = publication("u");
  gone.upload.upload_id = "never-was";
  const PublishOutcome outcome = complete(gone);
  ASSERT_TRUE(std::holds_alternative<Error>(outcome));
  EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::in_doubt);
  EXPECT_NE(std::string{std::get<Error>(outcome).what()}.find("s3://bucket/k"), std::string::npos);
  EXPECT_EQ(bucket.objects().at("k").etag, "\"theirs\"");
}

TEST_F(CompleteTest, InvalidPartWithOurPartsThereTakesTheirETags) {
  Publication stale = publication("u");
  stale.parts[1].etag = "\"before-the-late-try\"";
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    const bool stale_etag = asked.request.body.find("before-the-late-try") != std::string::npos;
    if (asked.verb == "CompleteMultipartUpload" && stale_etag)
      return Reply{400, {}, error_xml("InvalidPart")};
    return std::nullopt;
  };
  const PublishOutcome outcome = complete(stale);
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
}

TEST_F(CompleteTest, InvalidPartOfAnotherSizeIsCorruptAndAborts) {
  Publication other = publication("u");
  other.parts[1].bytes = kPartBytes + 1;
  reply_to_complete({400, {}, error_xml("InvalidPart")}, 9);
  expect_failure(complete(other), Kind::corrupt);
}

TEST_F(CompleteTest, InvalidPartOfAnotherChecksumIsCorruptAndAborts) {
  Publication other = publication("u");
  other.part_checksum = Algorithm::crc32c;
  other.parts[1].checksum = "AAAAAA==";
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "CompleteMultipartUpload") return Reply{400, {}, error_xml("InvalidPart")};
    if (asked.verb != "ListParts" || asked.nth > 1) return std::nullopt;
    const auto part = [](int number, const std::string& checksum) {
      return "<Part><PartNumber>" + std::to_string(number) +
             "</PartNumber><ETag>\"e\"</ETag><Size>100</Size>" + "<ChecksumCRC32C>" + checksum +
             "</ChecksumCRC32C></Part>";
    };
    return Reply{200,
                 {},
                 "<ListPartsResult><IsTruncated>false</IsTruncated>" + part(1, "") + part(2, "BBBBBB==") +
                     "</ListPartsResult>"};
  };
  expect_failure(complete(other), Kind::corrupt);
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 1u);
}

TEST_F(CompleteTest, BadDigestIsCorruptAndAborts) {
  reply_to_complete({400, {}, error_xml("BadDigest")});
  expect_failure(complete(publication("u")), Kind::corrupt);
}

TEST_F(CompleteTest, AFailedConditionIsAConflictAndAborts) {
  reply_to_complete({412, {}, error_xml("PreconditionFailed")});
  expect_failure(complete(publication("u", "k", store::Mode::create())), Kind::conflict);
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").front().request.headers.get("if-none-match"), "*");
}

TEST_F(CompleteTest, A412AfterALostAnswerIsSettledAsOurs) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return Reply{.reset = true};
  };
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "HeadObject" && asked.nth == 1) return Reply{404};
    if (asked.verb == "CompleteMultipartUpload" && asked.nth == 2)
      return Reply{412, {}, error_xml("PreconditionFailed")};
    return std::nullopt;
  };
  const PublishOutcome outcome = complete(publication("u", "k", store::Mode::create()));
  ASSERT_TRUE(std::holds_alternative<Published>(outcome)) << std::get<Error>(outcome).what();
}

// Neither token nor checksum: it may be the object of the try whose answer was lost.
TEST_F(CompleteTest, A412AfterALostAnswerIsInDoubtWhereNothingTellsWhoseObjectItIs) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return asked.nth == 1 ? Reply{.reset = true} : Reply{412, {}, error_xml("PreconditionFailed")};
  };
  Publication unmarked = publication("u", "k", store::Mode::create());
  unmarked.identity.token.clear();
  const PublishOutcome outcome = complete(std::move(unmarked));
  ASSERT_TRUE(std::holds_alternative<Error>(outcome));
  EXPECT_EQ(std::get<Error>(outcome).kind(), Kind::in_doubt) << std::get<Error>(outcome).what();
  EXPECT_EQ(bucket.objects().size(), 1u);
  http->drain(Call{.deadline = Deadline::after(test::kPatience)});
  EXPECT_EQ(bucket.asked("AbortMultipartUpload").size(), 1u);
}

TEST_F(CompleteTest, FiveLostAnswersRevokeTheUploadAndAreLost) {
  reply_to_complete({.reset = true}, 5);
  expect_failure(complete(publication("u")), Kind::lost);
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").size(), 5u);
}

TEST_F(CompleteTest, AnAbortIsRepeatedUntilListPartsFindsNothing) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "CompleteMultipartUpload") return Reply{403, {}, error_xml("AccessDenied")};
    if (asked.verb == "AbortMultipartUpload" && asked.nth == 1) return Reply{204};  // a part came in after it
    return std::nullopt;
  };
  expect_failure(complete(publication("u")), Kind::denied);
  EXPECT_EQ(bucket.asked("AbortMultipartUpload").size(), 2u);
  EXPECT_EQ(http->statistics().uploads_aborted, 1u);
}

// How the answer to a Complete is lost.
Reply lost_answer(int way, const Reply& real) {
  switch (way % 4) {
    case 0:
      return {.reset = true};
    case 1:
      return {500, {}, error_xml("InternalError")};
    case 2:
      return {200, {}, error_xml("InternalError")};
    default:
      return {200, {}, real.body.substr(0, real.body.size() / 2)};
  }
}

// Of 400 uploads each loses one to six answers; half of those had been done. Two servers: one forgets a
// completed upload (AWS, MinIO), one answers 200 again (versitygw). Every verdict must be the truth.
TEST_F(CompleteTest, FourHundredLostAnswersGiveNoWrongVerdict) {
  constexpr int kUploads = 400;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  struct Plan {
    int losses, way;
    bool happens, answers_again, another;
  };
  std::vector<Plan> plans;
  for (int i = 0; i < kUploads; ++i) {
    plans.push_back({1 + static_cast<int>(random() % 6), static_cast<int>(random() % 4), i % 2 == 0,
                     random() % 2 == 0, random() % 4 == 0});
  }
  std::map<std::string, int> tries;  // by key; the hooks run under the bucket's lock
  const auto plan_of = [&](const std::string& key) -> const Plan& {
    return plans.at(std::stoul(key.substr(1)));
  };
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    const Plan& plan = plan_of(asked.key);
    const int nth = ++tries[asked.key];
    if (nth > plan.losses) {
      const bool repeated = plan.happens && plan.answers_again;
      if (!repeated) return std::nullopt;
      return Reply{
          200, {}, "<CompleteMultipartUploadResult><ETag>\"again\"</ETag></CompleteMultipartUploadResult>"};
    }
    if (plan.happens && nth == 1) return std::nullopt;  // done, then lost below
    return lost_answer(plan.way, {.body = "<CompleteMultipartUploadResult>"});
  };
  bucket.afterwards = [&](const Asked& asked, const Reply& reply) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload" || tries[asked.key] > plan_of(asked.key).losses)
      return std::nullopt;
    return lost_answer(plan_of(asked.key).way, reply);
  };

  std::vector<Pending<PublishOutcome>> outcomes(kUploads);
  for (int i = 0; i < kUploads; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (plans[static_cast<std::size_t>(i)].another) bucket.put(key, {"theirs", 6, "\"theirs\"", {}});
    complete_and_settle(client(), publication("u" + std::to_string(i), key),
                        [pending = outcomes[static_cast<std::size_t>(i)]](PublishOutcome outcome) {
                          pending.set(std::move(outcome));
                        });
  }
  int happened = 0, lost = 0, in_doubt = 0;
  for (int i = 0; i < kUploads; ++i) {
    const PublishOutcome outcome = outcomes[static_cast<std::size_t>(i)].wait(
        Call{.deadline = Deadline::after(4 * test::kPatience)}, "test");
    const auto objects = bucket.objects();
    const auto found = objects.find("k" + std::to_string(i));
    const bool ours = found != objects.end() && found->second.bytes == 2 * kPartBytes;
    if (std::holds_alternative<Published>(outcome)) {
      EXPECT_TRUE(ours) << "upload " << i << " was called published and is not";
      ++happened;
    } else if (std::get<Error>(outcome).kind() == Kind::in_doubt) {
      ++in_doubt;
      EXPECT_TRUE(plans[static_cast<std::size_t>(i)].another) << "upload " << i << " could have been settled";
    } else {
      EXPECT_FALSE(ours) << "upload " << i << " was called failed and is published";
      ++lost;
    }
  }
  EXPECT_GE(happened, kUploads / 2);
  EXPECT_GT(lost, 0);
  RecordProperty("in_doubt", in_doubt);
}

}  // namespace
}  // namespace penstock::s3
