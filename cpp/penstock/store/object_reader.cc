#include "penstock/store/object_reader.h"

#include <algorithm>
#include <array>

namespace penstock::store {
namespace {

// A gap this small is read over: a new request costs more than 256 KiB that are already on their way.
constexpr std::uint64_t kReadOver = 256 * 1024;

}  // namespace

ObjectReader::ObjectReader(ObjectStore& store, std::string_view key, const ReadOptions& options, Call call)
    : store_(store), key_(key), options_(options), call_(std::move(call)) {
  if (options_.range) throw Error{Kind::refused, "a reader takes no range: it seeks", {.code = "range"}};
  if (!options_.version_id.empty() || !options_.sse_customer_key.empty()) {
    open();
    meta_ = open_->meta();
  } else {
    meta_ = store_.head(key_, call_);
    if (!options_.if_match.empty() && options_.if_match != meta_.etag) {
      throw Error{Kind::conflict,
                  store_.location(key_) + " is not the version that was asked for",
                  {.side = Side::source, .doing = "open reader", .subject = store_.location(key_)}};
    }
  }
  options_.if_match = meta_.etag;
}

std::optional<std::uint64_t> ObjectReader::remaining() const {
  return at_ < meta_.bytes ? meta_.bytes - at_ : 0;
}

std::size_t ObjectReader::read(MutableBytes buffer) {
  if (buffer.empty() || at_ >= meta_.bytes) return 0;
  try {
    move_to_place();
    const std::size_t count = read_there(buffer);
    at_ += count;
    return count;
  } catch (...) {
    open_.reset();  // the next read opens it anew
    throw;
  }
}

std::size_t ObjectReader::read_there(MutableBytes buffer) {
  const std::size_t count = open_->read(buffer);
  if (count == 0) throw corrupt("ended before its size");
  open_at_ += count;
  // The end of the stream is where its checksum is compared.
  if (open_at_ == meta_.bytes) {
    std::array<std::byte, 1> none{};
    if (open_->read(none) != 0) throw corrupt("gave more than its size");
    open_.reset();
  }
  return count;
}

Error ObjectReader::corrupt(std::string_view what) const {
  const std::string subject = store_.location(key_);
  return Error{Kind::corrupt,
               subject + " " + std::string{what},
               {.side = Side::source, .doing = "read", .subject = subject}};
}

Error ObjectReader::replaced() const {
  const std::string subject = store_.location(key_);
  return Error{Kind::conflict,
               subject + " was replaced while it was read",
               {.side = Side::source, .doing = "read", .subject = subject}};
}

void ObjectReader::move_to_place() {
  if (open_ && at_ > open_at_ && at_ - open_at_ <= kReadOver) {
    std::array<std::byte, 16 * 1024> passed;
    while (open_at_ < at_) {
      const std::size_t most = std::min<std::uint64_t>(passed.size(), at_ - open_at_);
      const std::size_t count = open_->read(MutableBytes{passed}.first(most));
      if (count == 0) break;
      open_at_ += count;
    }
  }
  if (open_ && open_at_ == at_) return;
  open_.reset();
  open();
}

void ObjectReader::open() {
  ReadOptions options = options_;
  if (at_ > 0) options.range = Range{.first = at_};
  try {
    open_ = store_.get(key_, options, call_);
    // Whatever the server makes of the condition.
    if (!meta_.etag.empty() && open_->meta().etag != meta_.etag) throw replaced();
  } catch (Error& error) {
    if (!meta_.etag.empty() && error.kind() == Kind::conflict) error.facts().code = code::kChanged;
    throw;
  }
  open_at_ = at_;
}

}  // namespace penstock::store
