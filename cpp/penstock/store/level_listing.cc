#include "penstock/store/level_listing.h"

namespace penstock::store {
namespace {

// U+10FFFF: no code point sorts behind it, and few keys hold it.
constexpr std::string_view kLast = "\xF4\x8F\xBF\xBF";

}  // namespace

void check_delimiter(std::string_view delimiter) {
  if (!delimiter.empty()) return;
  throw Error{Kind::refused,
              "a listing by delimiter needs one, such as \"/\"; list() gives all keys",
              {.doing = "list", .code = "delimiter"}};
}

LevelListing::LevelListing(ObjectStore& store, std::string_view prefix, std::string_view delimiter,
                           const ListOptions& options, Call call)
    : store_(store),
      prefix_(prefix),
      delimiter_(delimiter),
      start_after_(options.start_after),
      call_(std::move(call)) {
  check_delimiter(delimiter);
  list_after(options.start_after);
}

void LevelListing::list_after(std::string start) {
  listing_ = store_.list(prefix_, {.start_after = std::move(start)}, call_);
}

std::optional<ObjectMeta> LevelListing::next() {
  for (;;) {
    auto found = listing_->next();
    if (!found) return std::nullopt;
    const std::size_t end = found->key.find(delimiter_, prefix_.size());
    if (end == std::string::npos) return found;
    ObjectMeta level;
    level.key = found->key.substr(0, end + delimiter_.size());
    level.is_prefix = true;
    if (level.key == rolled_up_) continue;
    rolled_up_ = level.key;
    list_after(level.key + std::string{kLast});
    if (level.key > start_after_) return level;
  }
}

}  // namespace penstock::store
