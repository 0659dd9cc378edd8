#include "penstock/bundles/recovery.h"

#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "penstock/base/wait.h"
#include "penstock/bundles/folder_staging.h"
#include "penstock/bundles/instance.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/owner.h"
#include "penstock/disk/file_source.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::hours kSweepAfter{24};
constexpr std::size_t kMaxMetaBytes = 16 << 20;

Sealed sealed_of(const PendingRecord& record, const std::string& at) {
  return {
      .ref = record.ref, .metadata = record.metadata, .receipt = {.bid = record.ref.bid, .completed_at = at}};
}

std::string read_small(const disk::Folder& folder, std::string_view name) {
  disk::FileSource file{folder, name, {}};
  std::string text(std::min<std::uint64_t>(file.remaining().value_or(0), kMaxMetaBytes), '\0');
  text.resize(read_full(file, std::as_writable_bytes(std::span{text.data(), text.size()})));
  return text;
}

class Recovery {
 public:
  Recovery(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
           const Call& call)
      : services_(services), recipe_(recipe), look_(look), report_(report), call_(call) {}

  void take(const std::string& text) {
    if (report_.out_of_time || call_.deadline.passed()) {
      report_.out_of_time = true;
      return;
    }
    base::check(call_, "recover bundles");
    try {
      consider(parse_pending(text));
    } catch (const Error& error) {
      if (error.kind() == Kind::cancelled) throw;
      ++(error.kind() == Kind::corrupt ? report_.malformed : report_.failed);
      say(LogLevel::warning, "a pending record stays: " + error.message());
    }
  }

 private:
  void consider(const PendingRecord& record) {
    switch (judge(record, look_, services_.clock->wall())) {
      case Verdict::leave:
        ++report_.left;
        return;
      case Verdict::discard:
        services_.pending->remove(recipe_.id, record.ref.bid, call_);
        ++report_.discarded;
        return;
      case Verdict::tell:
        tell(record);
    }
  }

  void tell(const PendingRecord& record) {
    const auto failed = call_back(services_, recipe_, record.ref);
    publish_with_retries(services_, sealed_of(record, timestamp(services_.clock->wall())), recipe_.id, call_);
    if (failed && services_.callback_errors == CallbackErrors::raise) {
      ++report_.failed;
      return;
    }
    services_.pending->remove(recipe_.id, record.ref.bid, call_);
    ++report_.recovered;
  }

  void say(LogLevel level, const std::string& line) const {
    if (services_.log) services_.log(level, "bundles", line);
  }

  const Services& services_;
  const Recipe& recipe_;
  const Look& look_;
  RecoveryReport& report_;
  const Call& call_;
};

}  // namespace

Verdict judge(const PendingRecord& record, const Look& look, WallTime now) {
  if (!record.marker) return Verdict::tell;  // written after the commit
  switch (look(*record.marker)) {
    case Found::ours:
      return Verdict::tell;
    case Found::anothers:
      return Verdict::discard;
    case Found::nothing:
      break;
  }
  return is_given_up(record.owner, record.written, now, kSweepAfter) ? Verdict::discard : Verdict::leave;
}

std::string_view to_string(Verdict verdict) {
  constexpr std::string_view kNames[] = {"tell", "discard", "leave"};
  return kNames[static_cast<int>(verdict)];
}

std::vector<std::string> pending_records(const Services& services, const std::string& recipe_id,
                                         const Call& call) {
  std::vector<std::string> records;
  if (services.pending)
    services.pending->each(
        recipe_id,
        [&](const std::string& record) {
          if (records.size() < kMostRecords) records.push_back(record);
        },
        call);
  return records;
}

void recover_pending(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
                     const Call& call) {
  if (!services.pending) return;
  Recovery recovery{services, recipe, look, report, call};
  services.pending->each(recipe.id, [&](const std::string& text) { recovery.take(text); },
                         {call.stop, {}, nullptr});
}

void sweep_in_time(RecoveryReport& report, const std::function<std::uint64_t()>& sweep) {
  try {
    report.swept = sweep();
  } catch (const Error& error) {
    if (error.facts().code != penstock::code::kDeadline) throw;
    report.out_of_time = true;
  }
}

Found look(const disk::Folder& root, const Marker& marker) {
  const auto folder = root.find_folder(marker.key);
  if (!folder || !folder->find(kBundleMeta)) return Found::nothing;
  return sha256_hex(read_small(*folder, kBundleMeta)) == marker.token ? Found::ours : Found::anothers;
}

void remove_expired(const disk::Folder& root, WallTime before) {
  std::vector<std::string> expired;
  disk::each_entry(root, [&](const disk::Entry& entry) {
    if (entry.type != disk::Entry::Type::folder || !entry.name.starts_with("incomplete_")) return;
    const auto status = root.find(entry.name);
    if (status && WallTime{std::chrono::seconds{status->st_mtim.tv_sec}} < before)
      expired.push_back(entry.name);
  });
  for (const std::string& name : expired) remove_tree(root, name);
}

}  // namespace penstock::bundles
