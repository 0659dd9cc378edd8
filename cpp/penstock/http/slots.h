// Who may use a connection now: at most so many per host and in all, first come first served among those who
// may.
//
// A limit counts those that have it or a lower one: a waiter with a low limit must not hold up, nor be held
// up by, those with a higher one. Downloads (10 a host) may wait for memory that uploads (64) to the same
// host hold.
//
// The queue is ours because in libcurl's the connect clock runs while a transfer waits.
// Threads: the I/O thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>

namespace penstock::http {

class Slots {
 public:
  class Waiter {
   public:
    virtual void slot_granted() = 0;

   protected:
    ~Waiter() = default;
  };

  explicit Slots(int in_all) : in_all_(in_all) {}

  // True: the slot is the caller's now. False: it waits, and slot_granted() will be called. `per_host` is the
  // caller's own limit for this host.
  bool take(const std::string& origin, int per_host, Waiter& waiter);
  void leave(const std::string& origin, const Waiter& waiter);  // the queue; nothing if not in it
  void release(const std::string& origin, int per_host);
  int waiting(const std::string& origin) const;

 private:
  struct Waiting {
    std::uint64_t ticket;
    int per_host;
    Waiter* waiter;
  };
  struct Host {
    std::map<int, int> active;  // by their limits
    std::deque<Waiting> queue;

    bool may_go(int per_host) const;
    void go(int per_host) { ++active[per_host]; }
  };
  struct Next {
    Host* host = nullptr;
    std::deque<Waiting>::iterator waiting{};
  };
  void grant();
  Next next();  // who has waited longest of those who may go
  int in_all_, active_ = 0;
  std::uint64_t tickets_ = 0;
  std::size_t waiting_ = 0;
  std::unordered_map<std::string, Host> hosts_;
};

}  // namespace penstock::http
