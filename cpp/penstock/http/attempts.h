// What the tries of one exchange have cost, and whether and when there is another.
//
// Life:    begin() before each try; then one of succeeded(), progressed() or before_next() after it.
// Threads: the I/O thread.
#pragma once

#include <chrono>
#include <string>

#include "penstock/http/client.h"

namespace penstock::http {

class Engine;

class Attempts {
 public:
  // How the last try ended, beside what the policy said of it.
  struct Ended {
    const std::string& origin;  // of which host's quota the next one is paid
    bool may_be_sent_again = true;
    bool timed_out = false;
  };

  Attempts(Engine& engine, const CallOptions& options) : engine_(engine), options_(options) {}

  // Unless the call or the client says otherwise; more than 0.
  void allow(int most);
  void begin() { ++made_, ++spent_; }
  int made() const { return made_; }

  // The last try was a redirect, which is free.
  void refund() { --spent_; }
  void succeeded(const std::string& origin);
  // As good as a success, though the body broke: the attempts refill.
  void progressed(const std::string& origin);

  // Pays for the next try and says how long it waits first. Throws the verdict's error if there is none; as
  // `busy`, with the time to come back, if the far end asks for more patience than the call has.
  std::chrono::milliseconds before_next(Verdict verdict, const Ended& last);

 private:
  void count(RetryClass retry_class);
  bool may_go_on(RetryClass retry_class, const Ended& last) const;
  bool too_late_after(std::chrono::milliseconds span) const;

  Engine& engine_;
  const CallOptions& options_;
  int most_ = 1, made_ = 0, spent_ = 0, mended_ = 0, last_paid_ = 0;
};

}  // namespace penstock::http
