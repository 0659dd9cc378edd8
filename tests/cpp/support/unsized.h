// A Source that does not say how much is to come.
#pragma once

#include "penstock/streams/source.h"

namespace penstock::test {

class Unsized : public Source {
 public:
  explicit Unsized(Source& source) : source_(source) {}
  std::size_t read(MutableBytes buffer) override { return source_.read(buffer); }
  bool rewindable() const override { return source_.rewindable(); }
  void mark() override { source_.mark(); }
  void rewind() override { source_.rewind(); }

 private:
  Source& source_;
};

}  // namespace penstock::test
