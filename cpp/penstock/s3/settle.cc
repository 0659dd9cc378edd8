#include "penstock/s3/settle.h"

#include "penstock/s3/attributes.h"
#include "penstock/s3/customer_key.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

// Last-Modified has whole seconds and is another machine's clock, which server_now() follows within one.
constexpr std::chrono::seconds kClockGrain{2};
constexpr std::chrono::seconds kTakeBackTotal{30};

bool same_checksum(const store::ObjectMeta& meta, const Identity& identity) {
  if (!identity.known) return false;
  const auto found = meta.digests.find(std::string{to_string(identity.known->algorithm())});
  return found != meta.digests.end() && found->second == identity.known->hex();
}

// Without a token only a checksum on both sides tells.
bool tells(const store::ObjectMeta& meta, const Identity& identity) {
  if (!identity.token.empty()) return true;
  return identity.known && meta.digests.contains(std::string{to_string(identity.known->algorithm())});
}

Found::What compare(const store::ObjectMeta& meta, const http::Headers& headers, const Identity& identity) {
  const bool older = meta.last_modified && *meta.last_modified + kClockGrain < identity.begun;
  const bool same_bytes = meta.bytes == identity.bytes;
  const bool ours = identity.token.empty() ? same_checksum(meta, identity) && meta.last_modified && !older
                                           : token_of(headers) == identity.token;
  if (ours && same_bytes) return Found::What::ours;
  if (ours && !identity.token.empty()) return Found::What::damaged;
  if (older) return Found::What::older;
  return same_bytes && !tells(meta, identity) ? Found::What::unknown : Found::What::another;
}

Found judge(http::Outcome outcome, const Identity& identity) {
  Found found;
  if (auto* error = std::get_if<Error>(&outcome)) {
    found.what = error->kind() == Kind::missing ? Found::What::absent : Found::What::unknown;
    found.failure = std::move(*error);
    return found;
  }
  const http::Headers& headers = std::get<http::Response>(outcome).headers;
  const store::ObjectMeta meta = meta_from(headers, identity.key);
  found.what = compare(meta, headers, identity);
  found.bytes = meta.bytes;
  found.object.etag = headers.get("etag");
  found.object.version_id = headers.get("x-amz-version-id");
  return found;
}

}  // namespace

void look(const std::shared_ptr<Client>& client, const Identity& identity, const Sending& how,
          std::function<void(Found)> found) {
  http::Request request = head_object(client->address(), identity.key);
  add_headers(request.headers, identity.customer_key);
  client->submit(std::move(request), how, [identity, found = std::move(found)](http::Outcome outcome) {
    Found result;
    try {
      result = judge(std::move(outcome), identity);
    } catch (Error& unreadable) {  // a HEAD whose Content-Length is no number
      result.failure = std::move(unreadable);
    }
    found(std::move(result));
  });
}

bool is_lost_answer(const Error& error) {
  return error.kind() == Kind::lost || error.kind() == Kind::busy;
}

bool is_gone_under(const store::Mode& mode, const Error& error) {
  return mode.kind == store::Mode::Kind::if_match && error.facts().code == "NoSuchKey";
}

Error gone(const Error& said) {
  Facts facts = said.facts();
  facts.cause = std::make_shared<const Error>(said);
  return Error{Kind::conflict, "the object that if_match names is gone: " + said.message(), std::move(facts)};
}

Sending taking_back(const std::string& key) {
  return {.key = key, .doing = "remove", .side = Side::sink, .chore = true, .total = kTakeBackTotal};
}

Error taken_back(const Error& error, const http::Outcome& outcome) {
  const auto* failure = std::get_if<Error>(&outcome);
  Facts facts = error.facts();
  std::string what = "; the object was removed";
  if (failure && failure->facts().status == 412) {
    what = "; another object has taken its place since";
  } else if (failure && (failure->kind() != Kind::missing || failure->facts().code == "NoSuchBucket")) {
    what = "; it could not be removed and may still be visible, so remove it (" + failure->message() + ")";
    facts.cause = std::make_shared<const Error>(*failure);
  }
  return Error{error.kind(), error.message() + what, std::move(facts)};
}

Error in_doubt(const Client& client, const std::string& key, const Error& cause) {
  Facts facts = cause.facts();
  facts.cause = std::make_shared<const Error>(cause);
  facts.subject = client.location(key);
  facts.side = Side::sink;
  return Error{Kind::in_doubt,
               "whether " + facts.subject +
                   " was published is not known: the answer was lost; look at it before writing it again (" +
                   cause.message() + ")",
               std::move(facts)};
}

}  // namespace penstock::s3
