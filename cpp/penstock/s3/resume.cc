#include "penstock/s3/resume.h"

#include <algorithm>
#include <array>

#include "penstock/base/redact.h"
#include "penstock/base/units.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"

namespace penstock::s3 {
namespace {

constexpr std::array kCombining{Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32};

constexpr std::uint64_t kLeastPartBytes = 5_MiB;  // what all providers take

// What the server says, else what the parts show, else what was written down.
std::string declared_checksum(const PartPage& page, const Resumed& resumed, const UploadState& state) {
  const bool said = !page.checksum_algorithm.empty() && page.checksum_algorithm != "null";  // versitygw
  if (said) return page.checksum_algorithm;
  for (const auto& [number, part] : resumed.parts) {
    for (const Algorithm algorithm : kCombining) {
      if (!part.checksums.of(algorithm).empty()) return s3_name(algorithm);
    }
  }
  return state.checksum;
}

std::optional<Algorithm> combining(const std::string& name, const std::string& upload_id) {
  if (name.empty()) return std::nullopt;
  for (const Algorithm algorithm : kCombining) {
    if (http::same_name(s3_name(algorithm), name)) return algorithm;
  }
  throw Error{Kind::refused,
              "the upload was begun with a checksum that is not gone on with (" + redact_text(name, 32) +
                  "); abort it and send the object anew",
              {.side = Side::sink, .doing = "resume upload", .code = "checksum", .upload_id = upload_id}};
}

// Only CRC64NVME is always of the whole; the others are of the parts unless it was said otherwise.
bool is_composite(const PartPage& page, const Resumed& resumed, const UploadState& state) {
  if (!page.checksum_type.empty()) return page.checksum_type == "COMPOSITE";
  return resumed.checksum != Algorithm::crc64nvme && state.token.empty();
}

std::uint64_t part_bytes_of(const UploadState& state, const Resumed& resumed, std::uint64_t otherwise) {
  if (state.part_bytes > 0) return state.part_bytes;
  std::uint64_t largest = 0;
  for (const auto& [number, part] : resumed.parts) largest = std::max(largest, part.bytes);
  return largest > 0 ? std::max(largest, kLeastPartBytes) : otherwise;
}

void compare(const std::string& what, const std::string& expected, const std::string& actual) {
  if (expected == actual) return;
  throw Error{
      Kind::corrupt,
      "the upload is complete already, and " + what + " differs: expected " + expected + ", actual " + actual,
      {.side = Side::sink, .doing = "resume upload", .expected = expected, .actual = actual}};
}

void compare(const store::ObjectMeta& there, const UploadState& state, const store::WriteOptions& options) {
  if (state.length) compare("the length", std::to_string(*state.length), std::to_string(there.bytes));
  for (const Digest& digest : options.expected) {
    const std::string name{to_string(digest.algorithm())};
    const auto known = there.digests.find(name);
    if (known == there.digests.end()) {
      throw Error{Kind::refused,
                  "the upload is complete already, and the server has no " + name + " of it to compare",
                  {.side = Side::sink, .doing = "resume upload", .code = "checksum"}};
    }
    compare("the " + name, digest.hex(), known->second);
  }
}

}  // namespace

Resumed look_up(Client& client, const UploadState& state, std::string_view sse_customer_key,
                const Call& call) {
  const http::Headers key = customer_key_headers(client.customer_key(sse_customer_key));
  Resumed resumed{.name = {state.key, state.upload_id}, .parts = {}, .checksum = {}};
  PartPage page;
  do {
    const int after = page.next_marker;
    http::Request request = list_parts(client.address(), resumed.name, after);
    add_headers(request.headers, key);
    const http::Response response = client.send(std::move(request), {.call = call,
                                                                     .key = state.key,
                                                                     .doing = "list parts",
                                                                     .side = Side::sink,
                                                                     .usual_attempts = kBodyAttempts});
    page = parse_parts(response.body);
    if (page.truncated && page.next_marker <= after) {
      throw Error{Kind::corrupt, "the listing of parts repeats its marker", {.doing = "list parts"}};
    }
    for (ListedPart& part : page.parts) resumed.parts[part.number] = std::move(part);
  } while (page.truncated);
  resumed.checksum = combining(declared_checksum(page, resumed, state), state.upload_id);
  resumed.composite = is_composite(page, resumed, state);
  return resumed;
}

std::optional<Receipt> published_by(Client& client, const UploadState& state,
                                    const store::WriteOptions& options, const Call& call) {
  if (state.token.empty()) return std::nullopt;
  http::Headers found;
  try {
    found = client
                .send(head_object(client.address(), state.key,
                                  {.sse_customer_key = client.customer_key(options.sse_customer_key)}),
                      {.call = call, .key = state.key, .doing = "HEAD", .side = Side::sink})
                .headers;
  } catch (const Error& error) {
    if (error.kind() == Kind::missing) return std::nullopt;
    throw;
  }
  if (token_of(found) != state.token) return std::nullopt;
  const store::ObjectMeta meta = meta_from(found, state.key);
  compare(meta, state, options);
  Receipt receipt;
  receipt.bytes = meta.bytes;
  receipt.key = state.key;
  receipt.bucket = state.bucket;
  receipt.location = client.location(state.key);
  receipt.etag = meta.etag;
  receipt.version_id = meta.version_id;
  receipt.content_type = meta.content_type;
  receipt.digests = meta.digests;
  receipt.mode = "multipart";
  receipt.mode_reason = "it was complete already";
  return receipt;
}

store::WriteOptions resumed_options(const Client& client, const UploadState& state, const Resumed& resumed,
                                    store::WriteOptions options) {
  options.mode = state.mode;
  options.length = state.length;
  options.length_hint = state.length_hint;
  options.part_bytes = part_bytes_of(state, resumed, client.config().part_bytes);
  return options;
}

void fix_sizes(PartPlan& plan, const Resumed& resumed) {
  if (resumed.parts.empty()) return;
  // The first has the size of all but the last.
  if (plan.equal_parts() && resumed.parts.contains(1)) plan.fix_all(resumed.parts.at(1).bytes);
  for (const auto& [number, part] : resumed.parts) {
    const bool may_be_an_end = number == resumed.parts.rbegin()->first && part.bytes < plan.size_of(number);
    if (part.bytes >= plan.min_part_bytes() && !may_be_an_end) plan.fix(number, part.bytes);
  }
}

}  // namespace penstock::s3
