// The store against real servers. They are named by PENSTOCK_TEST_S3, space separated:
//   PENSTOCK_TEST_S3="versitygw=http://127.0.0.1:7070 minio=http://127.0.0.1:9000"
// with the keys testkey and testsecret123; scripts/test starts them.
#include "penstock/s3/s3_store.h"

#include <cstdlib>
#include <random>
#include <sstream>

#include "penstock/s3/client.h"
#include "penstock/s3/verbs.h"
#include "penstock/streams/memory.h"

#include "store/contract.inc"

namespace penstock::s3 {
namespace {

struct Server {
  std::string name, endpoint;
};

std::vector<Server> servers() {
  const char* listed = std::getenv("PENSTOCK_TEST_S3");
  std::istringstream words{listed ? listed : ""};
  std::vector<Server> found;
  for (std::string word; words >> word;) {
    const std::size_t sign = word.find('=');
    if (sign != word.npos) found.push_back({word.substr(0, sign), word.substr(sign + 1)});
  }
  return found;
}

Config config_for(const std::string& endpoint, const std::string& bucket) {
  Config config;
  config.endpoint = endpoint;
  config.bucket = bucket;
  config.region = "us-east-1";
  aws::ChainInputs inputs;
  inputs.given = aws::Credentials{.access_key_id = "testkey", .secret_access_key = "testsecret123"};
  config.credentials = inputs;
  static const auto client = [] {
    http::ClientOptions options;
    options.proxy = "";
    return std::make_shared<http::Client>(options);
  }();
  config.client = client;
  return config;
}

// A bucket of its own; emptied and removed at the end.
class OwnBucket {
 public:
  explicit OwnBucket(const std::string& endpoint)
      : store(config_for(endpoint, "t" + std::to_string(std::random_device{}()))),
        client_(std::make_shared<Client>(store.config())) {
    http::Request create;
    create.method = "PUT";
    create.url = client_->address().bucket_url();
    client_->send(std::move(create), {.doing = "create bucket"});
  }
  ~OwnBucket() {
    try {
      std::vector<std::string> keys;
      auto listing = store.list();
      while (auto meta = listing->next()) keys.push_back(meta->key);
      store.remove_many(keys);
      http::Request remove;
      remove.method = "DELETE";
      remove.url = client_->address().bucket_url();
      client_->send(std::move(remove), {.doing = "remove bucket"});
    } catch (const Error& error) {
      std::fprintf(stderr, "the bucket stays: %s\n", error.what());
    }
  }
  S3Store store;

 private:
  std::shared_ptr<Client> client_;
};

class RealServer : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const Server& server : servers()) {
      if (server.name == GetParam()) bucket.emplace(server.endpoint);
    }
    if (!bucket)
      GTEST_SKIP() << "needs " << GetParam()
                   << ": scripts/services install; scripts/services start; "
                      "eval \"$(scripts/services environment)\" (scripts/test does all three)";
  }
  S3Store& store() { return bucket->store; }
  static std::string read_all(Source& source) {
    std::string all, buffer(256 * 1024, '\0');
    while (const std::size_t count = source.read(std::as_writable_bytes(std::span{buffer})))
      all.append(buffer, 0, count);
    return all;
  }
  std::optional<OwnBucket> bucket;
};

INSTANTIATE_TEST_SUITE_P(Servers, RealServer, ::testing::Values("versitygw", "minio"),
                         [](const auto& server) { return server.param; });

TEST_P(RealServer, IsRecognised) {
  EXPECT_EQ(store().capabilities().provider, GetParam());
}

// Both take what only AWS's row says that it does: the part's checksum after its last byte.
TEST_P(RealServer, ARelayedUploadIsWhatWasReadWithTrailersAndWithout) {
  std::string content(11'000'001, '\0');
  std::mt19937_64 random{7};
  for (char& byte : content) byte = static_cast<char>(random());
  for (const bool trailers : {false, true}) {
    Config config = store().config();
    Capabilities row = provider_row(GetParam());
    row.trailers = trailers;
    config.row = std::make_shared<const Capabilities>(row);
    S3Store relaying{config};
    store::WriteOptions options{.length = content.size()};
    options.part_bytes = 5_MiB;
    options.relay = true;
    MemorySource source{as_bytes(content)};
    const Receipt receipt = relaying.put("k", source, options);
    EXPECT_EQ(receipt.mode, "relay") << receipt.mode_reason;
    EXPECT_TRUE(read_all(*store().get("k")) == content) << trailers;
    if (trailers) {
      EXPECT_EQ(store().head("k").digests["crc64nvme"], receipt.digests.at("crc64nvme"));
    }
  }
}

TEST_P(RealServer, AnUploadOfSeveralPartsIsWhatWasWritten) {
  const std::string content = test::random_bytes(30_MiB + 12'345);
  MemorySource source{as_bytes(content)};
  const Receipt streamed = store().put("streamed", source, {.part_bytes = 5_MiB});
  const Receipt borrowed = store().put("borrowed", as_bytes(content));
  EXPECT_EQ(streamed.mode, "multipart");
  EXPECT_EQ(borrowed.mode, "multipart");
  EXPECT_TRUE(read_all(*store().get("streamed")) == content);
  EXPECT_TRUE(read_all(*store().get("borrowed")) == content);
  const auto meta = store().head("streamed");
  EXPECT_EQ(meta.etag, streamed.etag);
  EXPECT_EQ(meta.digests.at("crc64nvme"), streamed.digests.at("crc64nvme"));
  EXPECT_EQ(streamed.digests.at("crc64nvme"), borrowed.digests.at("crc64nvme"));
}

TEST_P(RealServer, ConditionsHoldForUploadsToo) {
  const std::string content = test::random_bytes(6_MiB);
  const store::WriteOptions create{.mode = store::Mode::create(), .part_bytes = 5_MiB};
  const Receipt first = store().put("k", as_bytes(content), create);
  EXPECT_EQ(test::error_of([&] { store().put("k", as_bytes(content), create); }).kind(), Kind::conflict);
  const store::WriteOptions replace{.mode = store::Mode::if_match(first.etag), .part_bytes = 5_MiB};
  const std::string other = test::random_bytes(6_MiB, 2);
  store().put("k", as_bytes(other), replace);
  EXPECT_EQ(test::error_of([&] { store().put("k", as_bytes(content), replace); }).kind(), Kind::conflict);
  store().client().drain();
  EXPECT_TRUE(store().list_uploads("k").empty());
}

TEST_P(RealServer, AnAbandonedUploadIsGone) {
  const std::string content = test::random_bytes(11_MiB);
  {
    auto writer = store().open_writer("k", {.part_bytes = 5_MiB});
    writer->write(as_bytes(content));
    EXPECT_EQ(store().list_uploads("k").size(), 1u);
  }
  store().client().drain();
  EXPECT_TRUE(store().list_uploads("k").empty());
  EXPECT_FALSE(store().exists("k"));
}

TEST_P(RealServer, AForeignUploadIsListedAndAborted) {
  auto writer = store().open_writer("k", {.part_bytes = 5_MiB});
  writer->write(as_bytes(test::random_bytes(6_MiB)));
  const auto open = store().list_uploads("k");
  ASSERT_EQ(open.size(), 1u);
  store().abort_upload(open[0]);
  EXPECT_TRUE(store().list_uploads("k").empty());
  EXPECT_THROW(writer->finish(), Error);
  store().client().drain();
}

TEST_P(RealServer, APresignedUrlReadsAndWrites) {
  store().put("k", as_bytes("signed"));
  const std::string read = store().presign("GET", "k", std::chrono::seconds{60});
  http::Request get;
  get.url = read;
  EXPECT_EQ(store().client().send(get).body, "signed");
  http::Request put;
  put.method = "PUT";
  put.url = store().presign("PUT", "new \xC3\xBC+%", std::chrono::seconds{60});
  put.body = http::text_payload("written");
  store().client().send(put);
  EXPECT_EQ(read_all(*store().get("new \xC3\xBC+%")), "written");
}

TEST_P(RealServer, AnotherBucketSharesConnectionAndCredentials) {
  OwnBucket other{store().config().endpoint};
  const auto sibling = store().with_bucket(other.store.config().bucket);
  sibling->put("k", as_bytes("there"));
  EXPECT_TRUE(other.store.exists("k"));
  EXPECT_FALSE(store().exists("k"));
}

TEST_P(RealServer, AMissingBucketIsMissing) {
  const auto nowhere = store().with_bucket("no-such-bucket-here");
  EXPECT_EQ(test::error_of([&] { nowhere->put("k", as_bytes("x")); }).kind(), Kind::missing);
  EXPECT_EQ(test::error_of([&] { nowhere->list()->next(); }).kind(), Kind::missing);
}

TEST_P(RealServer, AListingOfThreePagesIsWhole) {
  std::vector<std::string> wanted;
  for (int i = 0; i < 2100; ++i) wanted.push_back("p/" + std::to_string(10'000 + i));
  std::vector<std::thread> threads;
  for (int lane = 0; lane < 8; ++lane) {
    threads.emplace_back([&, lane] {
      for (std::size_t i = static_cast<std::size_t>(lane); i < wanted.size(); i += 8)
        store().put(wanted[i], as_bytes("x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> found;
  auto listing = store().list("p/");
  while (auto meta = listing->next()) found.push_back(meta->key);
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(store().remove_many(wanted).removed, wanted.size());
  EXPECT_EQ(store().list("p/")->next(), std::nullopt);
}

}  // namespace
}  // namespace penstock::s3

namespace penstock::store {
namespace {

std::vector<Backing> real_backings() {
  std::vector<Backing> backings;
  for (const s3::Server& server : s3::servers()) {
    backings.push_back({.name = server.name,
                        .make =
                            [server] {
                              auto owned = std::make_shared<s3::OwnBucket>(server.endpoint);
                              return std::shared_ptr<ObjectStore>(owned, &owned->store);
                            },
                        .traits = {.keeps_digests = false,
                                   .any_key = false,
                                   .conditional_remove = false,
                                   .paths_are_the_servers = true}});
  }
  return backings;
}

// Without servers there is nothing to instantiate: RealServer above says what to set.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);
INSTANTIATE_TEST_SUITE_P(Real, StoreContract, ::testing::ValuesIn(real_backings()), backing_name);

}  // namespace
}  // namespace penstock::store
