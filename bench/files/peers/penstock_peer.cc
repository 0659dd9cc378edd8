// penstock from C++: what the Python package costs is the difference to penstock_peer.py.
//
// usage: bench_penstock ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
// Prints one line a file: key, SHA-256.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "penstock/files/fetch_many.h"
#include "penstock/s3/s3_store.h"

namespace {

std::shared_ptr<penstock::store::ObjectStore> store_at(const char* endpoint, const char* bucket) {
  penstock::s3::Config config;
  config.endpoint = endpoint;
  config.bucket = bucket;
  config.region = "us-east-1";
  // The row is given because the byte sink has none of its own: full-object CRC64NVME is part of the work.
  config.provider = "versitygw";
  config.credentials.emplace();
  config.credentials->given =
      penstock::aws::Credentials{.access_key_id = "testkey", .secret_access_key = "testsecret123"};
  return std::make_shared<penstock::s3::S3Store>(config);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: bench_penstock ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY\n");
    return 2;
  }
  const int count = std::atoi(argv[4]);
  const auto next = [&, number = 0]() mutable -> std::optional<penstock::files::FileTask> {
    if (number == count) return std::nullopt;
    penstock::files::FileTask task;
    task.task_id = std::to_string(number);
    task.job_id = "bench";
    task.url = std::string{argv[1]} + "/bytes/" + argv[5] + "/" + task.task_id;
    task.file_name = task.task_id + ".bin";
    task.key = "penstock-cpp-" + task.task_id;
    task.digests = {penstock::Algorithm::sha256};
    ++number;
    return task;
  };
  penstock::files::FetchMany running{penstock::http::Client::process_default(),
                                     next,
                                     store_at(argv[2], argv[3]),
                                     {.jobs = std::atoi(argv[6])}};
  while (auto result = running.next()) {
    if (!result->success) {
      std::fprintf(stderr, "%s: %s\n", result->task_id.c_str(), result->error_message.c_str());
      return 1;
    }
    std::printf("%s %s\n", result->key->c_str(), result->receipt.digests.at("sha256").c_str());
  }
}
