// An HTTP/1.1 server on loopback that does exactly what a test's script says, for what real servers will not
// do on demand: late heads, cuts, resets, lies.
//
//   ScriptedServer server;
//   Gate gate;
//   server.on("/a", {script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf ").wait(gate).reset(),
//                    script().respond(200, {}, "whole")});        // first request, then all later ones
//   ... client.open(get(server.url("/a"))) ...
//
// Life:     listens from construction; the destructor hangs up on everybody and joins all threads.
// Threads:  one a connection; every public call from any thread.
// Memory:   bodies are kept up to kKeptBody a request, counted and hashed beyond that.
// A script starts when a request's head is in. When it ends the connection is kept, if the request's body was
// read and nothing closed it. No step sleeps: whoever must wait waits at a Gate.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "penstock/http/headers.h"

#include "support/certificates.h"

namespace penstock::test {

// How long a test waits for what must happen, on a loaded machine, before it counts as never.
inline constexpr std::chrono::seconds kPatience{30};

// A door that the test opens. Copies are the same door.
class Gate {
 public:
  void open() const;
  bool is_open() const;
  // Waits until some script stands at the door; false after kPatience.
  bool reached() const;

 private:
  friend class Exchange;
  friend class ScriptedServer;
  bool pass(std::stop_token stop) const;  // false: stopped
  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool open = false;
    int waiting = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

struct SeenRequest {
  int connection = 0;  // from 1, in the order they were accepted
  std::string method, target, head;
  http::Headers headers;
  std::string body;  // the first kKeptBody bytes, chunks taken apart
  std::uint64_t body_bytes = 0;
  std::string body_sha256;  // lower-case hex; set once the whole body is in
  bool body_complete = false;
};

class Connection;

// One request being answered. For Script::run.
class Exchange {
 public:
  const SeenRequest& request() const { return seen_; }
  void send(std::string_view bytes);
  void read_body(std::uint64_t at_most = UINT64_MAX);  // answers Expect: 100-continue first
  void wait(const Gate& gate);
  void stall();                     // until the client hangs up or the server ends
  void reset();                     // RST, now
  void close();                     // FIN after what was sent
  void tunnel(std::uint16_t port);  // both ways to 127.0.0.1:port, until either end closes
  std::stop_token stop() const { return stop_; }

 private:
  friend class ScriptedServer;
  using Record = std::function<void(const SeenRequest&)>;
  Exchange(Connection& wire, std::stop_token stop) : wire_(wire), stop_(std::move(stop)) {}
  bool read_head();
  std::uint64_t take_body(std::uint64_t at_most);
  struct Body;  // the framing, what was read ahead, the running digest
  Connection& wire_;
  std::stop_token stop_;
  SeenRequest seen_;
  Record record_;  // called before a byte goes out: who has the answer finds the request it answers
  std::uint64_t recorded_bytes_ = 0;
  std::shared_ptr<Body> body_;
};

using Fields = std::vector<http::Headers::Field>;

// An object that never changes: what an ordinary server would serve, with ranges and conditions.
struct Resource {
  std::uint64_t size = 0;  // of pattern(0, size)
  std::string etag = "\"first\"";
  std::string last_modified;
  std::string date;
  std::optional<std::uint64_t> reset_after;  // cuts each answer after so many body bytes
  bool ranges = true;                        // false: always the whole, with 200
};

class Script {
 public:
  using Step = std::function<void(Exchange&)>;

  // The whole answer: reads the request's body first, adds Content-Length unless `fields` frames the body.
  Script respond(int status, Fields fields = {}, std::string body = {}) const;
  Script bytes(std::string raw) const;
  Script pieces(std::string raw, std::size_t step) const;  // one packet each
  Script pattern(std::uint64_t from, std::uint64_t size) const;
  Script serve(Resource resource) const;
  Script read_body(std::uint64_t at_most = UINT64_MAX) const;
  Script wait(Gate gate) const;
  Script stall() const;
  Script reset() const;
  Script close() const;
  Script tunnel(std::uint16_t port) const;
  Script run(Step step) const;

 private:
  friend class ScriptedServer;
  std::vector<Step> steps_;
};

inline Script script() {
  return {};
}
inline Script respond(int status, Fields fields = {}, std::string body = {}) {
  return script().respond(status, std::move(fields), std::move(body));
}

// Bytes that tell their place: no two offsets within a prime period near 1 MiB look alike.
std::string pattern(std::uint64_t from, std::uint64_t size);

class ScriptedServer {
 public:
  static constexpr std::size_t kKeptBody = 1 << 20;
  struct Options {
    std::optional<Certificate> certificate;      // set: TLS
    std::function<bool(int connection)> refuse;  // true: reset that connection at once
    Gate handshake = opened();                   // TLS starts when it is open
    static Gate opened();
  };

  ScriptedServer() : ScriptedServer(Options{}) {}
  explicit ScriptedServer(Options options);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  // Scripts for a path (the target without its query), one a request, the last again and again.
  void on(std::string path, std::vector<Script> scripts);
  void on(std::string path, Script one) { on(std::move(path), std::vector{std::move(one)}); }
  void otherwise(Script script);  // for paths not named, 404 at first

  std::uint16_t port() const { return port_; }
  std::string origin() const;                    // "http://127.0.0.1:port"
  std::string url(std::string_view path) const;  // with 127.0.0.1
  std::string url(std::string_view host, std::string_view path) const;

  // In the order their heads came in; of a body at least what was read before the last byte of the answer.
  std::vector<SeenRequest> requests() const;
  std::vector<SeenRequest> requests(std::string_view path) const;
  int connections() const;       // accepted since the start
  int open_connections() const;  // now

  // Waits until `ready(server)`, looked at whenever something happens; false after kPatience.
  bool wait_until(const std::function<bool(const ScriptedServer&)>& ready) const;

 private:
  struct State;
  void accept_all(std::stop_token stop);
  void serve(std::stop_token stop, int socket, int number);
  bool answer_one(Connection& wire, const std::stop_token& stop, int number);
  Script next_script(const std::string& target);

  Options options_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::unique_ptr<State> state_;
  std::jthread acceptor_;
};

}  // namespace penstock::test
