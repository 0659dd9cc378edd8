// The Body a caller of Client::open reads.
#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include "penstock/http/client.h"
#include "penstock/http/delivery.h"
#include "penstock/http/exchange.h"

namespace penstock::http {

// Life:   dying drops the connection unless the body was read to its end.
class StreamBody final : public Body {
 public:
  // Asks and waits for the head. Throws what open() throws.
  static std::unique_ptr<StreamBody> open(std::shared_ptr<Engine> engine, Request request,
                                          CallOptions options);
  ~StreamBody() override;

  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override;
  std::size_t ready() const override;
  bool rewindable() const override { return arrival_->resume.possible(); }
  std::string_view repeat_obstacle() const override { return arrival_->resume.obstacle(); }
  void mark() override;
  void rewind() override;
  int status() const override { return arrival_->status; }
  const Headers& headers() const override { return arrival_->headers; }
  const std::string& url() const override { return arrival_->url; }
  bool framed() const override { return arrival_->framed; }
  int attempts() const override { return arrival_->attempts; }
  int resumes() const override { return arrival_->resumes; }

 private:
  StreamBody(std::shared_ptr<Engine> engine, Request request, CallOptions options);
  void start();
  std::size_t ring_bytes() const;
  Delivery::Ring fresh_ring() const;
  void wait_for_room() const;
  void begin(std::unique_ptr<Delivery> delivery);
  void drop() noexcept;
  void refuse_in_child() const;

  const pid_t process_;
  std::shared_ptr<Engine> engine_;
  Request request_;
  CallOptions options_;
  std::shared_ptr<Arrival> arrival_;
  std::shared_ptr<Exchange> exchange_;
  PipeReader reader_;
  std::uint64_t read_ = 0;
  std::optional<std::uint64_t> mark_;
};

}  // namespace penstock::http
