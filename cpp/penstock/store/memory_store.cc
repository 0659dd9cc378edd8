#include "penstock/store/memory_store.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/wait.h"
#include "penstock/store/nothing_at.h"
#include "penstock/store/range.h"
#include "penstock/store/write_checks.h"

namespace penstock::store {
namespace {

// The bytes all buckets of one store hold together.
class Allowance {
 public:
  Allowance(std::uint64_t limit, std::shared_ptr<Budget> budget)
      : limit_(limit), budget_(std::move(budget)) {}

  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

  // False: no room. What is taken is charged to the budget too, in `charges`.
  bool take(std::uint64_t bytes, std::vector<Charge>& charges) {
    std::uint64_t used = used_;
    do {
      if (bytes > limit_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes));
    if (!budget_) return true;
    if (auto charge = budget_->try_charge(bytes)) {
      charges.push_back(std::move(*charge));
      return true;
    }
    used_ -= bytes;
    return false;
  }
  void give_back(std::uint64_t bytes) { used_ -= bytes; }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_ = 0;
  std::shared_ptr<Budget> budget_;
};

// Bytes that are paid for before they are allocated, and given back when they die.
class PaidBytes {
 public:
  explicit PaidBytes(std::shared_ptr<Allowance> allowance) : allowance_(std::move(allowance)) {}
  ~PaidBytes() { allowance_->give_back(paid_); }
  PaidBytes(const PaidBytes&) = delete;
  PaidBytes& operator=(const PaidBytes&) = delete;

  // False: no room for them, and nothing was added.
  bool append(Bytes bytes) {
    if (!reserve(bytes_.size() + bytes.size())) return false;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return true;
  }
  Bytes all() const { return bytes_; }

 private:
  bool reserve(std::size_t needed) {
    if (needed <= bytes_.capacity()) return true;
    // Doubling, or just enough where doubling has no room.
    return grow(std::max(needed, bytes_.capacity() * 2)) || grow(needed);
  }
  bool grow(std::size_t capacity) {
    if (!allowance_->take(capacity - paid_, charges_)) return false;
    paid_ = capacity;
    bytes_.reserve(capacity);
    return true;
  }

  std::shared_ptr<Allowance> allowance_;
  std::vector<Charge> charges_;
  std::uint64_t paid_ = 0;
  std::vector<std::byte> bytes_;
};

struct Object {
  ObjectMeta meta;
  std::unique_ptr<PaidBytes> bytes;
};

std::string next_etag() {
  static std::atomic<std::uint64_t> last = 0;
  return fmt::format("\"{:016x}\"", ++last);
}

Error conflict(std::string_view doing, const std::string& location, std::string_view what) {
  return Error{Kind::conflict,
               fmt::format("cannot {} {}: {}", doing, location, what),
               {.doing = std::string{doing}, .subject = location}};
}

}  // namespace

struct MemoryStore::State {
  MemoryOptions options;
  std::shared_ptr<Allowance> allowance;
  std::shared_ptr<Clock> clock;
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<const Object>, std::less<>> objects;
  std::map<std::string, std::shared_ptr<State>, std::less<>> buckets;

  State(MemoryOptions with, std::shared_ptr<Allowance> paid_by)
      : options(std::move(with)),
        allowance(std::move(paid_by)),
        clock(options.clock ? options.clock : Clock::system()) {}

  std::string location(std::string_view key) const {
    return options.bucket.empty() ? fmt::format("memory:{}", key)
                                  : fmt::format("memory:{}/{}", options.bucket, key);
  }

  std::shared_ptr<const Object> find(std::string_view key) const {
    std::lock_guard lock{mutex};
    auto found = objects.find(key);
    return found == objects.end() ? nullptr : found->second;
  }

  // Lock held.
  void check_mode(const Mode& mode, std::string_view key) const {
    auto found = objects.find(key);
    bool there = found != objects.end();
    if (mode.kind == Mode::Kind::create && there) {
      throw conflict("create", location(key), "it is already there");
    }
    if (mode.kind == Mode::Kind::if_match && (!there || found->second->meta.etag != mode.etag)) {
      throw conflict("replace", location(key), "it is not the version that was asked for");
    }
  }
};

namespace {

using State = MemoryStore::State;

class MemoryObject : public ObjectSource {
 public:
  MemoryObject(std::shared_ptr<const Object> object, Extent extent, Call call)
      : object_(std::move(object)),
        part_(object_->bytes->all().subspan(extent.offset, extent.bytes)),
        call_(std::move(call)) {}

  const ObjectMeta& meta() const override { return object_->meta; }
  std::size_t read(MutableBytes buffer) override {
    base::check(call_, "read an object");
    std::size_t n = std::min(buffer.size(), part_.size() - at_);
    if (n > 0) std::memcpy(buffer.data(), part_.data() + at_, n);
    at_ += n;
    return n;
  }
  std::optional<std::uint64_t> remaining() const override { return part_.size() - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override {
    if (!mark_) throw std::logic_error("rewind without a mark");
    at_ = *mark_;
  }

 private:
  std::shared_ptr<const Object> object_;
  Bytes part_;
  Call call_;
  std::size_t at_ = 0;
  std::optional<std::size_t> mark_;
};

class MemoryWriter : public Sink {
 public:
  MemoryWriter(std::shared_ptr<State> state, std::string_view key, const WriteOptions& options, Call call)
      : state_(std::move(state)),
        object_(std::make_shared<Object>()),
        mode_(options.mode),
        checks_(options, state_->location(key)),
        call_(std::move(call)) {
    object_->meta = meta_of(options, key);
    object_->bytes = std::make_unique<PaidBytes>(state_->allowance);
  }

  void write(Bytes bytes) override {
    if (!object_) throw std::logic_error("write after the end of a writer");
    try {
      base::check(call_, "write an object");
      checks_.update(bytes);
      if (!object_->bytes->append(bytes)) refuse_no_room();
    } catch (...) {
      abort("a write failed");
      throw;
    }
  }

  Receipt finish() override {
    if (!object_) throw std::logic_error("finish after the end of a writer");
    base::check(call_, "publish an object");
    checks_.verify();
    object_->meta.bytes = checks_.bytes();
    object_->meta.digests = checks_.digests();
    object_->meta.last_modified = state_->clock->wall();
    Receipt receipt = publish();
    object_.reset();
    return receipt;
  }

  void abort(std::string_view) noexcept override { object_.reset(); }

 private:
  Receipt publish() {
    std::shared_ptr<const Object> replaced;  // freed outside the lock
    std::lock_guard lock{state_->mutex};
    state_->check_mode(mode_, object_->meta.key);
    object_->meta.etag = next_etag();
    replaced = std::exchange(state_->objects[object_->meta.key], object_);
    return receipt();
  }

  Receipt receipt() const {
    const ObjectMeta& meta = object_->meta;
    Receipt receipt;
    receipt.bytes = meta.bytes;
    receipt.key = meta.key;
    receipt.bucket = state_->options.bucket;
    receipt.location = state_->location(meta.key);
    receipt.etag = meta.etag;
    receipt.content_type = meta.content_type;
    receipt.digests = meta.digests;
    receipt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    receipt.mode = "memory";
    return receipt;
  }

  [[noreturn]] void refuse_no_room() {
    bool never = checks_.bytes() > state_->allowance->limit();
    Facts facts{.side = Side::sink, .doing = "write", .subject = state_->location(object_->meta.key)};
    facts.code = never ? code::kTooLarge : "no_space";
    throw Error{never ? Kind::refused : Kind::busy,
                fmt::format("no room in memory for {}: the store holds at most {} bytes", facts.subject,
                            state_->allowance->limit()),
                std::move(facts)};
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Object> object_;
  Mode mode_;
  WriteChecks checks_;
  Call call_;
  SteadyTime began_ = std::chrono::steady_clock::now();
};

class MemoryListing : public Listing {
 public:
  MemoryListing(std::shared_ptr<State> state, std::string_view prefix, std::string after, Call call)
      : state_(std::move(state)), prefix_(prefix), after_(std::move(after)), call_(std::move(call)) {}

  std::optional<ObjectMeta> next() override {
    base::check(call_, "list objects");
    std::lock_guard lock{state_->mutex};
    auto at = after_ < prefix_ ? state_->objects.lower_bound(prefix_) : state_->objects.upper_bound(after_);
    if (at == state_->objects.end() || !at->first.starts_with(prefix_)) return std::nullopt;
    after_ = at->first;
    return at->second->meta;
  }

 private:
  std::shared_ptr<State> state_;
  std::string prefix_, after_;
  Call call_;
};

}  // namespace

MemoryStore::MemoryStore(MemoryOptions options) {
  auto allowance = std::make_shared<Allowance>(options.max_bytes, options.budget);
  state_ = std::make_shared<State>(std::move(options), std::move(allowance));
}

MemoryStore::MemoryStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

MemoryStore::~MemoryStore() = default;

std::optional<ObjectMeta> MemoryStore::find(std::string_view key, const Call& call) {
  check_key(key);
  base::check(call, "find an object");
  auto object = state_->find(key);
  if (!object) return std::nullopt;
  return object->meta;
}

std::unique_ptr<ObjectSource> MemoryStore::get(std::string_view key, const ReadOptions& options,
                                               const Call& call) {
  check_key(key);
  base::check(call, "get an object");
  auto object = state_->find(key);
  if (!object) throw nothing_at(location(key), "get");
  if (!options.if_match.empty() && options.if_match != object->meta.etag) {
    throw conflict("get", location(key), "it is not the version that was asked for");
  }
  Extent extent{0, object->meta.bytes};
  if (options.range) extent = resolve(*options.range, object->meta.bytes, location(key));
  return std::make_unique<MemoryObject>(std::move(object), extent, call);
}

std::unique_ptr<Sink> MemoryStore::open_writer(std::string_view key, const WriteOptions& options,
                                               const Call& call) {
  check_key(key);
  check_metadata(options.metadata, location(key));
  base::check(call, "open a writer");
  {
    std::lock_guard lock{state_->mutex};
    state_->check_mode(options.mode, key);  // again at finish(); here it saves the bytes
  }
  return std::make_unique<MemoryWriter>(state_, key, options, call);
}

std::unique_ptr<Listing> MemoryStore::list(std::string_view prefix, const ListOptions& options,
                                           const Call& call) {
  return std::make_unique<MemoryListing>(state_, prefix, options.start_after, call);
}

void MemoryStore::remove(std::string_view key, const RemoveOptions& options, const Call& call) {
  check_key(key);
  base::check(call, "remove an object");
  std::shared_ptr<const Object> removed;  // freed outside the lock
  std::lock_guard lock{state_->mutex};
  auto found = state_->objects.find(key);
  if (found == state_->objects.end()) return;
  if (!options.if_match.empty() && options.if_match != found->second->meta.etag) {
    throw conflict("remove", location(key), "it is not the version that was asked for");
  }
  removed = std::move(found->second);
  state_->objects.erase(found);
}

std::shared_ptr<ObjectStore> MemoryStore::with_bucket(std::string_view bucket) {
  check_key(bucket);
  std::lock_guard lock{state_->mutex};
  auto& state = state_->buckets[std::string{bucket}];
  if (!state) {
    MemoryOptions options = state_->options;
    options.bucket = bucket;
    state = std::make_shared<State>(std::move(options), state_->allowance);
  }
  return std::shared_ptr<ObjectStore>(new MemoryStore(state));
}

std::string MemoryStore::location(std::string_view key) const {
  return state_->location(key);
}

std::pair<std::string, std::string> MemoryStore::place(std::string_view key) const {
  return {state_->options.bucket, std::string{key}};
}

std::uint64_t MemoryStore::used_bytes() const {
  return state_->allowance->used();
}

}  // namespace penstock::store
