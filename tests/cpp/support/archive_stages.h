// An archive as one Source, so that the tests of every stage are tests of its reader.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "penstock/codecs/archive.h"
#include "penstock/streams/source.h"

#include "support/stage_tests.h"

namespace penstock::test {

// The content of all entries, one after the other; what it learned is their names and lengths.
class ArchiveSource : public Source {
 public:
  explicit ArchiveSource(std::unique_ptr<codecs::Archive> archive) : archive_(std::move(archive)) {}

  std::size_t read(MutableBytes buffer) override {
    while (inside_ || next()) {
      const std::size_t got = archive_->content().read(buffer);
      entry_bytes_ += got;
      if (got > 0) return got;
      learned_ += ":" + std::to_string(std::exchange(entry_bytes_, 0)) + " ";
      inside_ = false;
    }
    return 0;
  }
  const std::string& learned() const { return learned_; }

 private:
  bool next() {
    const codecs::Entry* const entry = archive_->next();
    if (!entry) return false;
    learned_ += entry->name;
    return inside_ = true;
  }

  std::unique_ptr<codecs::Archive> archive_;
  std::string learned_;
  std::size_t entry_bytes_ = 0;
  bool inside_ = false;
};

// The stage that reads `Reader`s.
template <class Reader>
Stage archive_stage(Source& inner) {
  auto source = std::make_unique<ArchiveSource>(std::make_unique<Reader>(inner));
  const auto* const at = source.get();
  return {.source = std::move(source), .learned = [at] { return at->learned(); }};
}

}  // namespace penstock::test
