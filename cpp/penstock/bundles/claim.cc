#include "penstock/bundles/claim.h"

#include <span>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/base/json.h"
#include "penstock/base/uuid.h"
#include "penstock/bundles/conflict.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/owner.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kMaxClaimBytes = 64 * 1024;

std::string new_text() {
  Json json;
  json["owner"] = this_owner();
  json["timestamp"] = timestamp(Clock::system()->wall());
  json["token"] = random_uuid();
  return compact(json);
}

struct Written {
  std::string owner{}, timestamp{};
};

// Nothing of what cannot be read, which therefore is not given up.
Written written_in(std::string_view text) {
  try {
    const auto json = parse_json(text);
    return {text_at(json, "owner"), text_at(json, "timestamp")};
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

bool is_custom(std::string_view bid) {
  return bid.starts_with("test-") || bid.starts_with("custom-");
}

Claim::Claim(store::ObjectStore& store, std::string bid, const BundleKeys& keys, WallTime now,
             std::chrono::milliseconds after)
    : store_(store),
      bid_(std::move(bid)),
      claim_(keys.claim),
      marker_(keys.marker),
      now_(now),
      after_(after),
      text_(new_text()) {}

void Claim::take(const Call& call) {
  refuse_completed(call);
  try {
    win(call);
    refuse_completed(call);  // between that look and the claim another may have published
  } catch (const Error&) {
    withdraw();
    throw;
  }
}

void Claim::win(const Call& call) {
  if (put(store::Mode::create(), call)) return;
  const auto there = find(call);
  if (there && there->text == text_) return;  // a put whose first answer was lost
  const Written before = written_in(there ? there->text : "");
  if (!is_given_up(before.owner, before.timestamp, now_, after_) ||
      !put(store::Mode::if_match(there->etag), call))
    throw already_open(bid_);
  undisputed_ = is_surely_dead(before.owner);
}

bool Claim::put(store::Mode mode, const Call& call) {
  try {
    store_.put(claim_, as_bytes(text_), {.mode = std::move(mode)}, call);
    return true;
  } catch (const Error& error) {
    if (error.kind() != Kind::conflict) throw;
    return false;
  }
}

std::optional<Claim::There> Claim::find(const Call& call) {
  try {
    const auto there = store_.get(claim_, {}, call);
    std::string text(kMaxClaimBytes, '\0');
    text.resize(read_full(*there, std::as_writable_bytes(std::span{text})));
    return There{std::move(text), there->meta().etag};
  } catch (const Error& error) {
    if (error.kind() != Kind::missing) throw;
    return std::nullopt;
  }
}

void Claim::refuse_completed(const Call& call) {
  if (store_.exists(marker_, call)) throw already_completed(bid_);
}

void Claim::release(const Call& call) {
  const auto there = find(call);
  if (there && there->text == text_) store_.remove(claim_, {}, call);
}

// Also of a put that was cancelled, or whose answer was lost: it may be there.
void Claim::withdraw() noexcept {
  try {
    release({.deadline = Deadline::after(kWithdrawsWithin)});
  } catch (const std::exception&) {
    // It is taken over once its owner is dead, or after a day.
  }
}

}  // namespace penstock::bundles
