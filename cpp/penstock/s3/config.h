// How to reach a bucket. Argument > environment > profile > provider row (s3.md section 9).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "penstock/aws/credentials.h"
#include "penstock/base/units.h"
#include "penstock/http/client.h"
#include "penstock/s3/provider.h"

namespace penstock::s3 {

enum class Addressing { automatic, path, virtual_host };
enum class Conditional { row, trust };  // trust: use conditions even where the row does not know them

struct Config {
  std::string bucket;
  std::string prefix;                       // joined before every key as it is
  std::string region;                       // "": environment, profile, us-east-1
  std::string endpoint;                     // "": environment, profile, AWS
  std::string provider;                     // "": by host or Server header
  std::shared_ptr<const Capabilities> row;  // of a service the table does not know; null: the table's
  Addressing addressing = Addressing::automatic;
  Conditional conditional = Conditional::row;
  std::optional<aws::ChainInputs> credentials;  // unset: the process's
  std::string sign_payload = "auto";            // auto, always, never
  std::string checksum = "auto";                // auto, none, or an algorithm
  std::uint64_t part_bytes = 8_MiB;
  int max_parts_in_flight = 4;
  // Where pages of a part over 8 MiB go that the Budget cannot give: "": $TMPDIR; nullopt: parts stop
  // growing.
  std::optional<std::string> spool_dir = "";
  bool token = true;
  std::string sse_customer_key;  // of every object read and written, unless a call has its own; 32 bytes
  bool reap = false;             // abort orphans a lost answer to Create may have left
  std::shared_ptr<http::Client> client;               // null: the process default
  std::optional<std::chrono::milliseconds> deadline;  // of each verb, where the Call has none

  static Config from_env();  // PENSTOCK_BUCKET or S3_BUCKET_NAME, PENSTOCK_PREFIX or S3_PREFIX
  static Config from_url(std::string_view s3_url);  // s3://bucket/prefix: the key is raw
};

}  // namespace penstock::s3
