// What the tests of one fetch share: an origin that plays scripts, two stores, and what was logged.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/files/fetch.h"
#include "penstock/store/folder_store.h"
#include "penstock/store/memory_store.h"

#include "support/errors.h"
#include "support/scripted_server.h"
#include "support/temporary_folder.h"

namespace penstock::files {

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\n";

struct Seen : Progress {
  std::vector<ProgressReport> reports;
  void report(const ProgressReport& report) override { reports.push_back(report); }
  std::vector<TransferState> states() const {
    std::vector<TransferState> states;
    for (const auto& report : reports) {
      if (states.empty() || states.back() != report.state) states.push_back(report.state);
    }
    return states;
  }
};

struct Fetch : ::testing::Test {
  test::ScriptedServer server;
  std::vector<std::string> lines;
  std::mutex lines_mutex;
  http::Client web{quick()};
  test::TemporaryFolder scratch;
  store::FolderStore folder{scratch.path()};
  store::MemoryStore memory;

  http::ClientOptions quick() {
    http::ClientOptions options;
    options.max_attempts = 2;
    options.log = [this](LogLevel, std::string_view, std::string_view line) {
      std::lock_guard lock{lines_mutex};
      lines.emplace_back(line);
    };
    return options;
  }
  FileTask task(std::string_view path = "/a") {
    return {.task_id = "t-1",
            .job_id = "j-1",
            .url = server.url(path) + "?sig=canary",
            .file_name = "a.csv",
            .key = "in/a.csv"};
  }
  // Runs a task that must fail on both stores, over an object that must stay; returns the result.
  FileResult fails(const FileTask& failing) {
    FileResult result;
    for (store::ObjectStore* store : std::initializer_list<store::ObjectStore*>{&folder, &memory}) {
      store->put(failing.key, as_bytes("former"));
      result = process(web, failing, *store);
      EXPECT_FALSE(result.success);
      EXPECT_FALSE(result.key.has_value());
      EXPECT_EQ(content(*store, failing.key), "former");
      auto listing = store->list();
      EXPECT_EQ(listing->next()->key, failing.key);
      EXPECT_FALSE(listing->next().has_value());
    }
    EXPECT_EQ(scratch.names().size(), 2u) << "an unfinished file was left";
    return result;
  }
  static std::string content(store::ObjectStore& store, const std::string& key) {
    auto source = store.get(key);
    std::string all(static_cast<std::size_t>(source->meta().bytes), '\0');
    read_full(*source, std::as_writable_bytes(std::span{all}));
    return all;
  }
  bool logged(const std::string& line) {
    std::lock_guard lock{lines_mutex};
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  static std::string sha256(std::string_view text) {
    Hasher hasher{Algorithm::sha256};
    hasher.update(as_bytes(text));
    return hasher.digest().hex();
  }
};

}  // namespace penstock::files
