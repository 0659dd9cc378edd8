#include <exception>
#include <memory>

#include <fmt/format.h>

#include "penstock/base/linked_stop.h"
#include "penstock/bundles/staged_bundle.h"

namespace penstock::bundles {

// What it holds is known by its lines, on disk: an archive may have very many members.
class StagedBundle::Members : public Group {
 public:
  explicit Members(StagedBundle& bundle)
      : bundle_(bundle),
        under_way_(bundle.lifecycle_->begin_add()),
        manifest_(bundle.staging_->spool_folder()) {}
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() override {
    if (kept_) return;
    try {
      take_back_all();
    } catch (const std::exception& error) {
      bundle_.log(LogLevel::error,
                  fmt::format("members that were to be withdrawn are left: {}", error.what()));
    }
  }

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const base::LinkedStop stop{call.stop, under_way_.stop()};
    return bundle_.store(resource, body, {stop.token(), call.deadline, call.progress}, manifest_);
  }
  void withdraw(std::uint64_t number, std::string_view why) override { withdrawn_.emplace(number, why); }
  void skip(const Resource& resource, std::string_view why) override {
    manifest_.append_note(line_of_skipped(resource, why));
  }
  void fail(const Resource& resource, std::string_view kind) override {
    manifest_.append_failed(line_of_failed(resource, bundle_.staging_->base_name(resource), kind));
  }
  void keep() override {
    bundle_.manifest_.append(manifest_, withdrawn_);
    kept_ = true;
    if (withdrawn_.empty()) return;
    std::uint64_t number = 0;
    for (StoredNames names{manifest_.spool()}; const auto name = names.next(); ++number)
      if (withdrawn_.contains(number)) take_back(*name);
  }

 private:
  void take_back(const std::string& name) {
    bundle_.staging_->withdraw(name);
    bundle_.names_.give_back(name);
  }
  void take_back_all() {
    for (StoredNames names{manifest_.spool()}; const auto name = names.next();) take_back(*name);
    if (const auto line = last_failed(manifest_)) bundle_.manifest_.append_failed(*line);
  }

  StagedBundle& bundle_;
  Lifecycle::Add under_way_;
  Manifest manifest_;
  Withdrawn withdrawn_;
  bool kept_ = false;
};

std::unique_ptr<Group> StagedBundle::open_group() {
  return std::make_unique<Members>(*this);
}

}  // namespace penstock::bundles
