// A range of up to 256 KiB, fetched and held whole: one exchange that wakes one thread once, not for the
// head, for bytes and for the end. From C++, 16 KiB, 32 at once, from the byte sink on two cores of a Xeon:
// 8,600 a second where a ring made 7,300 (means of three and two runs).
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <variant>

#include "penstock/s3/client.h"
#include "penstock/store/object_store.h"

namespace penstock::s3 {

bool is_piece(const store::ReadOptions& options);

// As open_object() says. One that is the whole object is compared with its checksum, and asked for once more
// if it differs.
std::unique_ptr<store::ObjectSource> open_piece(Client& client, std::string_view key,
                                                const store::ReadOptions& options, const Call& call);

// The same without a thread that waits: `done` is called once, on the I/O thread, or at once if the client is
// closed, and must not throw. Throws what can be refused at once.
using Piece = std::variant<std::unique_ptr<store::ObjectSource>, Error>;
void submit_piece(const std::shared_ptr<Client>& client, std::string_view key,
                  const store::ReadOptions& options, const Call& call,
                  const std::function<void(Piece)>& done);

}  // namespace penstock::s3
