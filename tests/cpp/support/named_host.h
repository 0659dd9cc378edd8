// A host name that this program's getaddrinfo answers as a test says.
//
//   NamedHost host("rebind.test", {{"127.0.0.1"}, {"127.0.0.2"}});   // first look-up, then all later ones
//   NamedHost slow("slow.test", {});                                 // no answer while it lives
//
// Threads: any. A look-up that waits ends, with no such name, once the object is gone.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace penstock::test {

class NamedHost {
 public:
  using Addresses = std::vector<std::string>;
  NamedHost(std::string name, std::vector<Addresses> answers);
  ~NamedHost();
  NamedHost(const NamedHost&) = delete;
  NamedHost& operator=(const NamedHost&) = delete;
  int lookups() const;

  struct State;

 private:
  std::string name_;
  std::shared_ptr<State> state_;
};

}  // namespace penstock::test
