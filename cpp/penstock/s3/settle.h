// Finding out whether an object that may have been published was.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "penstock/http/headers.h"
#include "penstock/s3/client.h"

namespace penstock::s3 {

// What tells our object from another's under the same key.
struct Identity {
  std::string key;    // whole
  std::string token;  // "": by size, full-object checksum and Last-Modified instead
  std::uint64_t bytes = 0;
  std::optional<Digest> checksum;   // as it is sent
  bool checksum_by_name = false;    // asked for: not left out where it is refused
  std::optional<Digest> known;      // of the bytes that were sent, told or not: to compare with
  WallTime begun;                   // by the server's clock
  http::Headers customer_key = {};  // what every request about the object carries
};

struct Published {
  std::string etag, version_id;
  int attempts = 1;
};
using PublishOutcome = std::variant<Published, Error>;

// What a HEAD found.
struct Found {
  enum class What {
    ours,
    absent,   // 404
    older,    // what was there before we began
    another,  // somebody else's
    damaged,  // ours by its token, and of another size
    unknown,  // HEAD failed or is denied, or says nothing by which ours is known
  };
  What what = What::unknown;
  Published object;
  std::uint64_t bytes = 0;
  std::optional<Error> failure;
};

// HEADs identity.key; `found` runs on the I/O thread.
void look(const std::shared_ptr<Client>& client, const Identity& identity, const Sending& how,
          std::function<void(Found)> found);

// Whether the far end may have done what this error failed to tell: the answer was lost, not given.
bool is_lost_answer(const Error& error);

// How the DELETE of an object that is not what was sent is made, and what its outcome adds to `error`.
Sending taking_back(const std::string& key);
Error taken_back(const Error& error, const http::Outcome& outcome);

// The object that if_match names is gone: that condition failed, too, whatever the service calls it.
bool is_gone_under(const store::Mode& mode, const Error& error);
Error gone(const Error& said);

Error in_doubt(const Client& client, const std::string& key, const Error& cause);

}  // namespace penstock::s3
