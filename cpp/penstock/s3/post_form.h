// A form with which somebody without credentials uploads one object by POST, as far as a signed policy
// allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "penstock/s3/client.h"

namespace penstock::s3 {

struct PostOptions {
  std::chrono::seconds expires{3600};  // 1 s to 7 days, and not beyond the life of temporary keys
  std::uint64_t min_bytes = 0;
  std::uint64_t max_bytes = 5'368'709'120;  // what POST takes: 5 GiB
  std::string content_type = {};            // "": whatever the form says, and it must then say nothing
  // More of the form, to be sent exactly so: x-amz-meta-*, success_action_status, acl.
  std::vector<std::pair<std::string, std::string>> fields = {};
};

// All fields in order; the file follows them as the field `file`, last.
struct PostForm {
  std::string url;
  std::vector<std::pair<std::string, std::string>> fields;
};

// `key` is whole; one that ends in '/' is a prefix, and the form's file name completes it. Nothing is sent.
PostForm presign_post(const Client& client, const std::string& key, const PostOptions& options,
                      const Call& call);

}  // namespace penstock::s3
