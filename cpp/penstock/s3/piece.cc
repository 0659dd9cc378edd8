#include "penstock/s3/piece.h"

#include <string>
#include <utility>

#include "penstock/http/content_range.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/get_answer.h"
#include "penstock/s3/held_object.h"

namespace penstock::s3 {
namespace {

struct Wanted {
  std::string key, full;
  store::ReadOptions options;
  Call call;
};

Wanted wanted(const Client& client, std::string_view key, const store::ReadOptions& options,
              const Call& call) {
  return {.key = std::string{key}, .full = client.full_key(key), .options = options, .call = call};
}

Sending how(const Wanted& piece) {
  return {.call = piece.call,
          .key = piece.full,
          .doing = "GET",
          .side = Side::source,
          .max_attempts = kBodyAttempts};
}

struct Fetched {
  std::string body;
  Charge charge;
};

// The piece, or an Error that another try may not meet. Throws the others.
Piece taken(const Client& client, const Wanted& piece, http::Response got) {
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
  Charge charge = client.http().budget()->overdraw(got.body.size());
  const auto memory = std::make_shared<const Fetched>(std::move(got.body), std::move(charge));
  return std::make_unique<HeldObject>(as_bytes(memory->body), memory, meta_from(got.headers, piece.key));
}

struct Judged {
  Piece piece;
  bool may_differ_again = true;  // a mismatch, which another try may not meet
};

Judged judged(const Client& client, const Wanted& piece, http::Outcome outcome) {
  try {
    if (auto* error = std::get_if<Error>(&outcome)) throw std::move(*error);
    return {taken(client, piece, std::get<http::Response>(std::move(outcome)))};
  } catch (const Error& error) {
    return {error, false};
  }
}

void submit(const std::shared_ptr<Client>& client, Wanted piece, bool again,
            std::function<void(Piece)> done) {
  http::Request request = get_request(*client, piece.full, piece.options);
  const Sending sending = how(piece);
  client->submit(std::move(request), sending,
                 [client, piece = std::move(piece), again, done = std::move(done)](http::Outcome outcome) {
                   Judged got = judged(*client, piece, std::move(outcome));
                   const bool differs = std::holds_alternative<Error>(got.piece) && got.may_differ_again;
                   if (differs && !again) return submit(client, piece, true, done);
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
  const Wanted piece = wanted(client, key, options, call);
  for (bool again = false;; again = true) {
    Piece got = taken(client, piece, client.send(get_request(client, piece.full, options), how(piece)));
    if (auto* source = std::get_if<std::unique_ptr<store::ObjectSource>>(&got)) return std::move(*source);
    if (again) throw std::get<Error>(std::move(got));
  }
}

void submit_piece(const std::shared_ptr<Client>& client, std::string_view key,
                  const store::ReadOptions& options, const Call& call, std::function<void(Piece)> done) {
  submit(client, wanted(*client, key, options, call), false, std::move(done));
}

}  // namespace penstock::s3
