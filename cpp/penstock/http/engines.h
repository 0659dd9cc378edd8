// The engines of this process: none outlives the libraries its I/O thread uses, whoever still holds its
// client.
//
// A pending chore holds its client, so a client may live on when main() has returned, and may die on its own
// I/O thread, which cannot join itself. Without this, such a thread ran on beside OpenSSL's clean-up at exit
// and crashed.
#pragma once

#include <memory>

namespace penstock::http {

class Engine;

// Any thread. A forked child has none of its parent's.
class Engines {
 public:
  // Keeps `engine` until its thread is joined. Joins those that have ended by themselves.
  static void add(std::shared_ptr<Engine> engine);
  static void remove(const Engine& engine);
  // Closes all, at once, and waits for them: up to the grace of one.
  static void close_all();
  // Exit handlers run last in, first out: what is registered before this call is taken down after
  // close_all().
  static void close_all_at_exit();
};

}  // namespace penstock::http
