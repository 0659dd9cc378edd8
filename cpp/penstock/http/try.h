// One try of an exchange on the wire: from a granted slot to an answer, a fault, or a cut.
//
// Life:    begin(), then exactly one try_ended() unless cut() comes first; then begin() again or die.
// Threads: the I/O thread only.
// Memory:  the answer's head, and what is kept of a body that is not delivered to a ring.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "penstock/http/easy.h"
#include "penstock/http/head.h"
#include "penstock/http/stall.h"

namespace penstock::http {

class Delivery;
class Engine;

class Try final : private Easy::Events {
 public:
  static constexpr std::size_t kKeptErrorBytes = 16 * 1024;
  // What to do with the body of the answer whose head is in.
  enum class Use { keep, keep_error, deliver, stop };
  class Owner {
   public:
    virtual void about_to_send() = 0;
    virtual Use use_of(const Head& head) = 0;
    virtual void ring_is_full() = 0;  // call go_on() once it is not
    virtual void body_is_late() = 0;  // call go_on() once more of it is there
    virtual void try_ended() = 0;

   protected:
    ~Owner() = default;
  };
  struct Limits {
    std::chrono::milliseconds first_byte, stall_window, idle_connection;
    std::uint64_t stall_bytes_per_second;
    std::chrono::milliseconds starved;  // of a body that is made while it is sent
    std::size_t max_body_bytes;
  };

  Try(Engine& engine, Owner& owner);
  ~Try();

  void begin(const Request& request, const Wire& wire, const Limits& limits, Delivery* delivery);
  void cut();  // the transfer is dropped; no try_ended()
  void tick(SteadyTime now);
  void go_on();
  void transfer_done(CURLcode result);

  // After try_ended().
  const Head& head() const { return head_; }
  const std::string& kept() const { return kept_; }
  std::string take_kept() { return std::move(kept_); }
  const std::optional<Error>& fault() const { return fault_; }
  bool may_have_arrived() const { return connected_; }
  int repeats() const { return repeats_; }  // libcurl sends again what a used connection swallowed
  bool timed_out() const { return timed_out_; }
  std::size_t receive_bytes() const { return easy_.receive_bytes(); }

 private:
  bool line_came(std::string_view line) override;
  Took bytes_came(Bytes bytes) override;
  std::size_t bytes_wanted(MutableBytes out) override;
  bool sending_again(std::uint64_t offset) override;
  bool about_to_send() override;
  void address_blocked() override { address_blocked_ = true; }
  std::optional<std::size_t> next_of_body(MutableBytes out);
  Took keep(Bytes bytes, std::size_t limit);
  Took deliver(Bytes bytes);
  void pause();
  bool choose_use();
  Took stop_with(std::optional<Error> fault);
  void fail(Error fault);
  void leave();
  void note_connection();
  bool acknowledged_early() const;
  bool moving() const { return running_ && !paused_ && (!request_sent_ || answered_); }

  Engine& engine_;
  Owner& owner_;
  Easy easy_;
  const Request* request_ = nullptr;
  Delivery* delivery_ = nullptr;
  Limits limits_{};
  Head head_;
  std::optional<Use> use_;
  std::string kept_;
  std::optional<Error> fault_;
  bool running_ = false, connected_ = false, request_sent_ = false, answered_ = false;
  bool starving_ = false;  // paused for want of the body's next bytes
  bool address_blocked_ = false, stopped_ = false, timed_out_ = false, paused_ = false;
  std::uint64_t sent_ = 0, moved_ = 0, moved_at_look_ = 0;
  std::size_t counted_buffers_ = 0;
  int repeats_ = 0;
  SteadyTime request_sent_at_{}, looked_at_{}, paused_at_{}, starving_since_{};
  std::chrono::nanoseconds paused_for_{0};
  StallClock stall_;
};

}  // namespace penstock::http
