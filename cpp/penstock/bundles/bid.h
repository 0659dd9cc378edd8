// The names of bundles, in the order they were made.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "penstock/base/clock.h"

namespace penstock::bundles {

// A bundle's id: `TTTTTTTT-TTTT-tccc-rrrr-rrrrrrrrrrrr`, 13 decimal digits of Unix milliseconds, a counter of
// 12 bits, 64 random bits; or what the caller chose. Equality and order are those of the text: time, to 2286.
class Bid {
 public:
  static constexpr std::size_t kMaxBytes = 200;

  // The process's next one.
  static Bid generate();

  // Whether `text` is 8-4-4-4-12 hexadecimal digits, or begins with `test-` or `custom-`: UTF-8, at most
  // kMaxBytes, no control characters.
  static bool is_valid(std::string_view text);

  // Keeps `text` as it is. Throws Error(refused, "Invalid BID format").
  static Bid parse(std::string text);

  const std::string& text() const { return text_; }

  // When it was made, to 10 ms, as older writers have a random digit for the last; nullopt if it does not
  // say.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> time() const;

  friend bool operator==(const Bid&, const Bid&) = default;
  friend std::strong_ordering operator<=>(const Bid&, const Bid&) = default;

 private:
  friend class BidGenerator;
  explicit Bid(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// Makes ids that rise whatever the clock does. Bid::generate() has the process's; one of its own is for
// tests.
//
// Threads: shared freely; the ids of all threads together have one order.
// Forks:   a child goes on from its parent's time with random bits of its own.
// Failure: Error(lost) if the system gives no random bits.
class BidGenerator {
 public:
  explicit BidGenerator(std::shared_ptr<Clock> clock = Clock::system()) : clock_(std::move(clock)) {}

  Bid next();

 private:
  std::uint64_t next_tick();

  std::shared_ptr<Clock> clock_;
  // Milliseconds and counter in one number, so that a counter that is full borrows the next millisecond.
  std::atomic<std::uint64_t> last_tick_{0};
};

}  // namespace penstock::bundles
