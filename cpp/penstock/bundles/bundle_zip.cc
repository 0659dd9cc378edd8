#include "penstock/bundles/bundle_zip.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "penstock/base/linked_stop.h"
#include "penstock/base/wait.h"
#include "penstock/codecs/zip_packer.h"
#include "penstock/streams/hash.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::seconds kAbortsWithin{1};
constexpr const char* kPacking = "pack a bundle";

// A body that is stopped between two reads.
class Stoppable : public Source {
 public:
  Stoppable(Source& source, const Call& call) : source_(source), call_(call) {}
  std::size_t read(MutableBytes buffer) override {
    base::check(call_, kPacking);
    return source_.read(buffer);
  }

 private:
  Source& source_;
  const Call& call_;
};

// Some of a spool.
class SpoolPart : public Source {
 public:
  SpoolPart(const disk::Spool& spool, std::uint64_t offset, std::uint64_t bytes)
      : spool_(spool, offset), left_(bytes) {}
  std::size_t read(MutableBytes buffer) override {
    if (left_ == 0) return 0;
    const std::size_t got = spool_.read(buffer.first(std::min<std::uint64_t>(buffer.size(), left_)));
    left_ -= got;
    return got;
  }

 private:
  disk::SpoolSource spool_;
  std::uint64_t left_;
};

std::shared_ptr<const Error> as_cause(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return std::make_shared<Error>(error);
  } catch (...) {
    return nullptr;
  }
}

std::exception_ptr taken_along(const std::exception_ptr& by) {
  return std::make_exception_ptr(Error{
      Kind::refused,
      "a member failed while it was being written into the bundle's zip, which cannot be completed any more",
      {.side = Side::sink,
       .doing = kPacking,
       .code = std::string{code::kIncomplete},
       .cause = as_cause(by)}});
}

}  // namespace

void BundleZip::Out::write(Bytes bytes) {
  failed_ = true;
  to_.write(bytes);
  failed_ = false;
}

Receipt BundleZip::Out::finish() {
  failed_ = true;
  Receipt receipt = to_.finish();
  failed_ = false;
  return receipt;
}

BundleZip::BundleZip(Options options)
    : options_(std::move(options)),
      room_(options_.spool_folder, options_.spool_bytes),
      on_stop_(options_.stop, Forward{stop_}),
      pipe_(Pipe::kDefaultBytes, {.stop = stop_.get_token()}),
      writer_(out_, {.spool_folder = options_.spool_folder}),
      members_(options_.spool_folder) {
  if (!options_.budget) options_.budget = Budget::process_default();
}

BundleZip::~BundleZip() {
  if (!finished_) abort("the zip was dropped unfinished");
}

// With the lock held.
void BundleZip::require_whole() const {
  if (broken_) std::rethrow_exception(broken_);
  if (reader_failure_) std::rethrow_exception(reader_failure_);
}

// One at a time, and none once the zip is broken.
void BundleZip::write(const Call& call, const Step& step) {
  const base::LinkedStop stop{call.stop, stop_.get_token()};
  {
    std::unique_lock lock{mutex_};
    base::wait(changed_, lock, {.stop = stop.token(), .deadline = call.deadline}, kPacking,
               [this] { return !writing_; });
    require_whole();
    writing_ = true;
  }
  run(step);
}

// False if another writes.
bool BundleZip::try_write(const Step& step) {
  {
    const std::lock_guard lock{mutex_};
    if (writing_) return false;
    require_whole();
    writing_ = true;
  }
  run(step);
  return true;
}

// What fails in here has broken the zip. If it is the reader that is gone, that says why.
void BundleZip::run(const Step& step) {
  std::exception_ptr failure;
  try {
    step();
  } catch (...) {
    failure = std::current_exception();
  }
  std::unique_lock lock{mutex_};
  writing_ = false;
  changed_.notify_all();
  if (!failure) return;
  if (out_.failed() && reader_failure_) failure = reader_failure_;
  if (!broken_) broken_ = out_.failed() ? failure : taken_along(failure);
  lock.unlock();
  std::rethrow_exception(failure);
}

StoredResource BundleZip::add(const Resource& resource, Source& body, const Call& call) {
  const std::string name = names_.take(resource_name(resource.url), resource.url);
  try {
    const base::LinkedStop stop{call.stop, stop_.get_token()};
    return store(name, resource, body, {stop.token(), call.deadline});
  } catch (...) {
    names_.give_back(name);
    members_.append_failed(line_of_failed(resource, name, kind_of(std::current_exception())));
    throw;
  }
}

// Written whole if it is small, or if another is being written: then it waits on disk. Else as it comes.
StoredResource BundleZip::store(const std::string& name, const Resource& resource, Source& body,
                                const Call& call) {
  Hash hashed{body, {Algorithm::sha256}};
  Stoppable stoppable{hashed, call};
  codecs::ZipPacker packer{stoppable};
  PackedBytes packed{room_, *options_.budget};
  PackedBytes::Reader begun{packed};
  StoredResource stored;
  if (packed.fill(packer, codecs::ZipWriter::kWholeBytes)) {
    const bool streamed = try_write([&] {
      const codecs::ZipFacts facts = writer_.append({.name = name}, begun, packer);
      stored = list(name, resource, facts, hashed, members_);
    });
    if (streamed) return stored;
    packed.fill(packer, UINT64_MAX);
  }
  write(call, [&] {
    writer_.append({.name = name}, packer.facts(), begun);
    stored = list(name, resource, packer.facts(), hashed, members_);
  });
  return stored;
}

// Its line.
StoredResource BundleZip::list(const std::string& name, const Resource& resource,
                               const codecs::ZipFacts& facts, const Hash& hashed, Manifest& lines) const {
  StoredResource stored{.name = name,
                        .location = options_.name + "/" + name,
                        .bytes = facts.bytes,
                        .sha256 = hashed.digest(Algorithm::sha256).hex()};
  lines.append_stored(line_of_member(resource, stored, options_.name), stored.bytes);
  return stored;
}

// Packed on disk, and written into the zip by keep(): what is in a zip cannot be withdrawn.
class BundleZip::Members : public Group {
 public:
  explicit Members(BundleZip& zip) : zip_(zip), lines_(zip.options_.spool_folder), packed_(zip.room_) {}
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() override {
    try {
      if (!kept_) take_back_all();
    } catch (const std::exception&) {
      // Their names stay taken, which costs those of the same name a suffix.
    }
  }

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const std::string name = zip_.names_.take(resource_name(resource.url), resource.url);
    try {
      const base::LinkedStop stop{call.stop, zip_.stop_.get_token()};
      return pack(name, resource, body, {stop.token(), call.deadline});
    } catch (...) {
      zip_.names_.give_back(name);
      lines_.append_failed(line_of_failed(resource, name, kind_of(std::current_exception())));
      throw;
    }
  }
  void withdraw(std::uint64_t number, std::string_view why) override { withdrawn_.emplace(number, why); }
  void skip(const Resource& resource, std::string_view why) override {
    lines_.append_note(line_of_skipped(resource, why));
  }
  void fail(const Resource& resource, std::string_view kind) override {
    lines_.append_failed(line_of_failed(resource, resource_name(resource.url), kind));
  }
  void keep() override {
    zip_.write({}, [this] {
      each_name([this](const std::string& name, std::uint64_t number) {
        if (withdrawn_.contains(number)) return;
        SpoolPart part{packed_.file(), parts_[number].offset, parts_[number].facts.packed_bytes};
        zip_.writer_.append({.name = name}, parts_[number].facts, part);
      });
      zip_.members_.append(lines_, withdrawn_);
    });
    kept_ = true;
    each_name([this](const std::string& name, std::uint64_t number) {
      if (withdrawn_.contains(number)) zip_.names_.give_back(name);
    });
  }

 private:
  struct Part {
    std::uint64_t offset;
    codecs::ZipFacts facts;
  };

  StoredResource pack(const std::string& name, const Resource& resource, Source& body, const Call& call) {
    Hash hashed{body, {Algorithm::sha256}};
    Stoppable stoppable{hashed, call};
    codecs::ZipPacker packer{stoppable};
    const std::uint64_t offset = packed_.file().size();
    packed_.write_from(packer, UINT64_MAX);
    parts_.push_back({offset, packer.facts()});
    try {
      return zip_.list(name, resource, packer.facts(), hashed, lines_);
    } catch (...) {
      parts_.pop_back();
      throw;
    }
  }
  template <class Do>
  void each_name(Do what) const {
    std::uint64_t number = 0;
    for (StoredNames names{lines_.spool(), StoredNames::Of::members}; const auto name = names.next();
         ++number)
      what(*name, number);
  }
  void take_back_all() {
    each_name([this](const std::string& name, std::uint64_t) { zip_.names_.give_back(name); });
    if (const auto line = last_failed(lines_)) zip_.members_.append_failed(*line);
  }

  BundleZip& zip_;
  Manifest lines_;
  RoomSpool packed_;
  std::vector<Part> parts_;  // of what was stored, in its order
  Withdrawn withdrawn_;
  bool kept_ = false;
};

std::unique_ptr<Group> BundleZip::open_group() {
  return std::make_unique<Members>(*this);
}

void BundleZip::finish() {
  if (finished_) return;
  write({}, [this] {
    if (finished_) return;
    writer_.finish();
    finished_ = true;
  });
}

// Whoever writes is stopped, and aborts the zip on his way out.
void BundleZip::abort(std::string_view why) noexcept {
  stop_.request_stop();
  std::unique_lock lock{mutex_};
  if (!base::wait_for(changed_, lock, kAbortsWithin, [this] { return !writing_; })) return;
  writer_.abort(why);
  if (!broken_ && !finished_)
    broken_ =
        std::make_exception_ptr(Error{Kind::cancelled, "the bundle's zip was aborted", {.doing = kPacking}});
}

void BundleZip::reader_failed(std::exception_ptr why) noexcept {
  {
    const std::lock_guard lock{mutex_};
    if (!reader_failure_) reader_failure_ = std::move(why);
  }
  pipe_.reader.close();
}

}  // namespace penstock::bundles
