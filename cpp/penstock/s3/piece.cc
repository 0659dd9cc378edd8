#include "penstock/s3/piece.h"

#include <string>
#include <utility>

#include "penstock/http/content_range.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/get_answer.h"
#include "penstock/s3/held_object.h"

namespace penstock::s3 {
namespace {

// One that is on its way.
struct PendingPiece {
  std::string key, full;
  store::ReadOptions options;
  Call call;
  Charge charge;  // of what was asked for, before it comes
};

struct Fetched {
  std::string body;
  Charge charge;
};

std::uint64_t asked_bytes(const store::Range& range) {
  return range.suffix ? *range.suffix : *range.last - *range.first + 1;
}

std::shared_ptr<PendingPiece> pending(Client& client, std::string_view key, const store::ReadOptions& options,
                                      const Call& call) {
  return std::make_shared<PendingPiece>(
      PendingPiece{.key = std::string{key},
                   .full = client.full_key(key),
                   .options = options,
                   .call = call,
                   .charge = client.http().budget()->overdraw(asked_bytes(*options.range))});
}

// Whoever sends the whole object instead is not listened to for longer than the range is.
Sending sending(const PendingPiece& piece) {
  return {.call = piece.call,
          .key = piece.full,
          .doing = "GET",
          .side = Side::source,
          .usual_attempts = kBodyAttempts,
          .max_body_bytes = asked_bytes(*piece.options.range)};
}

// The piece, or an Error that another try may not meet. Throws the others.
Piece piece_from(const Client& client, PendingPiece& piece, http::Response got) {
  const std::string subject = client.location(piece.full);
  check_range(got.status, got.headers, *piece.options.range, subject);
  if (got.body.size() != http::content_range(got.headers).size())
    throw corrupt(subject, "another number of bytes came than its Content-Range says");
  if (const auto checksum = stored_checksum(client, got.status, got.headers)) {
    Hasher hasher{checksum->algorithm()};
    hasher.update(as_bytes(got.body));
    if (const Digest actual = hasher.digest(); !actual.equals(*checksum))
      return mismatch(subject, *checksum, actual);
  }
  const auto memory = std::make_shared<const Fetched>(std::move(got.body), std::move(piece.charge));
  return std::make_unique<HeldObject>(as_bytes(memory->body), memory, meta_from(got.headers, piece.key));
}

struct Judged {
  Piece piece;
  bool may_come_right = true;  // a mismatch, which another try may not meet
};

// No exception may pass through the I/O thread.
Judged judged(const Client& client, PendingPiece& piece, http::Outcome outcome) {
  try {
    if (auto* error = std::get_if<Error>(&outcome)) throw std::move(*error);
    return {piece_from(client, piece, std::get<http::Response>(std::move(outcome)))};
  } catch (const Error& error) {
    return {error, false};
  } catch (const std::exception& other) {
    return {Error{Kind::lost, other.what(), {.doing = "GET"}}, false};
  }
}

void submit(const std::shared_ptr<Client>& client, const std::shared_ptr<PendingPiece>& piece, bool again,
            const std::function<void(Piece)>& done);

// The same of the second try, which the I/O thread begins.
void submit_again(const std::shared_ptr<Client>& client, const std::shared_ptr<PendingPiece>& piece,
                  const std::function<void(Piece)>& done) {
  try {
    submit(client, piece, true, done);
  } catch (const Error& error) {
    done(error);
  } catch (const std::exception& other) {
    done(Error{Kind::lost, other.what(), {.doing = "GET"}});
  }
}

void submit(const std::shared_ptr<Client>& client, const std::shared_ptr<PendingPiece>& piece, bool again,
            const std::function<void(Piece)>& done) {
  client->submit(get_request(*client, piece->full, piece->options), sending(*piece),
                 [client, piece, again, done](http::Outcome outcome) {
                   Judged got = judged(*client, *piece, std::move(outcome));
                   const bool differs = std::holds_alternative<Error>(got.piece) && got.may_come_right;
                   if (differs && !again) return submit_again(client, piece, done);
                   done(std::move(got.piece));
                 });
}

}  // namespace

bool is_piece(const store::ReadOptions& options) {
  const auto& range = options.range;
  if (!range) return false;
  if (range->suffix) return *range->suffix <= kPageBytes;
  return range->first && range->last && *range->last - *range->first < kPageBytes;
}

std::unique_ptr<store::ObjectSource> open_piece(Client& client, std::string_view key,
                                                const store::ReadOptions& options, const Call& call) {
  const auto piece = pending(client, key, options, call);
  for (bool again = false;; again = true) {
    Piece got =
        piece_from(client, *piece, client.send(get_request(client, piece->full, options), sending(*piece)));
    if (auto* source = std::get_if<std::unique_ptr<store::ObjectSource>>(&got)) return std::move(*source);
    if (again) throw std::get<Error>(std::move(got));
  }
}

void submit_piece(const std::shared_ptr<Client>& client, std::string_view key,
                  const store::ReadOptions& options, const Call& call,
                  const std::function<void(Piece)>& done) {
  submit(client, pending(*client, key, options, call), false, done);
}

}  // namespace penstock::s3
