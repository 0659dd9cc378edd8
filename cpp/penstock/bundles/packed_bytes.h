// The packed bytes of one member of a zip, until they are written: in pages while the Budget can spare some,
// then on disk. Internal to the room.
//
// Threads: one caller at a time; the Spooled they share, by all.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/budget.h"
#include "penstock/disk/spool.h"
#include "penstock/streams/source.h"

namespace penstock::bundles {

// What may be on disk at once.
class SpoolRoom {
 public:
  SpoolRoom(std::string folder, std::uint64_t bytes) : folder_(std::move(folder)), bytes_(bytes) {}
  const std::string& folder() const { return folder_; }
  void take(std::uint64_t bytes);  // throws Error(refused, too_large)
  void give_back(std::uint64_t bytes) { used_ -= bytes; }
  std::uint64_t used() const { return used_; }

 private:
  std::string folder_;
  std::uint64_t bytes_;
  std::atomic<std::uint64_t> used_{0};
};

// A file without a name in that room.
class RoomSpool {
 public:
  explicit RoomSpool(SpoolRoom& room) : room_(room), file_(room.folder()) {}
  ~RoomSpool() { room_.give_back(file_.size()); }
  RoomSpool(const RoomSpool&) = delete;
  RoomSpool& operator=(const RoomSpool&) = delete;

  void write(Bytes bytes);
  // Until the source ends, or `most` bytes are taken; how many were.
  std::uint64_t write_from(Source& source, std::uint64_t most);
  const disk::Spool& file() const { return file_; }

 private:
  SpoolRoom& room_;
  disk::Spool file_;
};

class PackedBytes {
 public:
  PackedBytes(SpoolRoom& room, Budget& budget) : room_(room), budget_(budget) {}

  // On from where it is, until there are `most`; false if the source ended before.
  bool fill(Source& source, std::uint64_t most);
  bool on_disk() const { return spool_ != nullptr; }

  // All of it, from the beginning; borrows.
  class Reader : public Source {
   public:
    explicit Reader(const PackedBytes& bytes) : bytes_(bytes) {}
    std::size_t read(MutableBytes buffer) override;

   private:
    const PackedBytes& bytes_;
    std::uint64_t at_ = 0;
  };

 private:
  MutableBytes room_in_page();

  SpoolRoom& room_;
  Budget& budget_;
  std::vector<Page> pages_;
  std::uint64_t in_pages_ = 0;
  std::unique_ptr<RoomSpool> spool_;
};

}  // namespace penstock::bundles
