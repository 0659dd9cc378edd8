// One stop token out of two: for work that both its caller and its owner may stop.
#pragma once

#include <stop_token>
#include <utility>

namespace penstock::base {

class LinkedStop {
 public:
  LinkedStop(std::stop_token a, std::stop_token b)
      : on_a_(std::move(a), Forward{source_}), on_b_(std::move(b), Forward{source_}) {}
  LinkedStop(const LinkedStop&) = delete;
  LinkedStop& operator=(const LinkedStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  struct Forward {
    std::stop_source& source;
    void operator()() const { source.request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> on_a_, on_b_;
};

}  // namespace penstock::base
