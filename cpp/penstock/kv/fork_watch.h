// What must be put in order before this process forks: a connection that both processes then use is nobody's.
//
// Threads: added and removed by any. The two calls come on the forking thread, around fork(), for every
//          object that is there. A handler waits only for what ends by itself.
#pragma once

namespace penstock::kv {

class ForkWatch {
 public:
  ForkWatch(const ForkWatch&) = delete;
  ForkWatch& operator=(const ForkWatch&) = delete;

  // Takes the object's lock, so that no thread that will not exist in the child holds it.
  virtual void before_fork() noexcept = 0;
  // Gives it back; in the child whoever else wanted it is gone.
  virtual void after_fork(bool in_child) noexcept = 0;

 protected:
  ForkWatch() = default;
  ~ForkWatch() = default;
  // The first and the last thing of a life: between the two the calls may come.
  void watch();
  void unwatch() noexcept;
};

}  // namespace penstock::kv
