// The Sink over one object: PutObject for what fits one part, a multipart upload for the rest.
//
// Memory:   relayed (relay.h), no part at all. Else the part being filled and the parts in flight, in pages
//           of the Budget. 8 MiB are always granted, page by page; beyond that a page is taken only if there
//           is room now, else the writer waits for its own parts, and then the rest of the part goes to a
//           file. So no number of writers can deadlock.
// Fork:     it stays its maker's: a child that lets go of it aborts nothing, and cannot write or publish it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "penstock/s3/parts.h"
#include "penstock/s3/resume.h"
#include "penstock/s3/upload.h"
#include "penstock/streams/sink.h"

namespace penstock::s3 {

class ObjectWriter final : public Sink, public Resumable {
 public:
  ObjectWriter(std::shared_ptr<Client> client, std::string full_key, store::WriteOptions options, Call call);
  // Goes on with an upload: all of its bytes are written again, what is there of them is not sent. If this
  // fails the upload stays open.
  ObjectWriter(const std::shared_ptr<Client>& client, const UploadState& state, Resumed resumed,
               const store::WriteOptions& options, const Call& call);
  ~ObjectWriter() override;

  void write(Bytes bytes) override;
  std::uint64_t write_from(Source& source) override;
  Receipt finish() override;
  void abort(std::string_view why) noexcept override;
  std::optional<UploadState> state() const override;

  // The whole object from borrowed memory: parts are slices of it, nothing is copied. Instead of write() and
  // finish(). On return nothing refers to `bytes` any more.
  Receipt put(Bytes bytes);

 private:
  static constexpr std::uint64_t kGranted = 8_MiB;
  enum class State { open, finished, aborted };
  bool is_in_child() const;

  // Runs `step`; what it throws aborts the writer and gains the upload's id.
  template <typename Step>
  auto guarded(Step step);
  void hash_by(std::optional<Algorithm> checksum);
  void refuse_condition(Support support, const char* request) const;

  bool fill_page(Source& source);
  bool take_page(Source& source);
  void took(Bytes bytes);  // `bytes` of room() are filled
  void account(Bytes bytes);
  void seal();
  [[noreturn]] void refuse_another_part() const;
  void send_part(PayloadPtr part);
  void open_upload();
  std::optional<Digest> close_checksum(std::uint64_t part_bytes);
  void put_slices(Bytes bytes);

  // growth.cc
  MutableBytes room();  // where the next bytes go: never empty
  void add_page(Page page);
  Page fresh_page();
  std::uint64_t left_for_a_page() const;
  bool part_takes_no_more() const;
  bool part_is_full() const;
  std::optional<Page> next_page();
  bool may_spill() const;
  Page spilled_page();
  void seal_early();

  // relay.cc
  class Accounted;
  bool relays(const Source& source);
  void relay(Source& source);
  void relay_part(Source& source);
  void send_relayed(Source& source, std::uint64_t bytes);
  bool relay_try(Source& source, http::UploadStream& body, std::uint64_t bytes, PartTrailer* trailer);

  void verify() const;
  Receipt publish();
  Published put_whole();
  Receipt receipt_of(const Published& published) const;

  const pid_t process_;
  std::shared_ptr<Client> client_;
  std::string key_;
  store::WriteOptions options_;
  Call call_;
  Capabilities row_;
  PartPlan plan_;
  int lanes_;
  std::optional<std::string> spool_dir_;
  bool growth_stopped_ = false;  // a part was sent before it was full
  Identity identity_;
  http::Headers attributes_;
  std::shared_ptr<Flight> flight_ = std::make_shared<Flight>();
  std::unique_ptr<MultipartUpload> upload_;
  std::shared_ptr<PagedPart> part_;  // being filled
  Page spare_;                       // the next of its pages, for which a source had no byte yet
  PayloadPtr whole_;                 // put(): the borrowed body of a PutObject
  std::optional<Algorithm> checksum_;
  std::optional<Hasher> part_checksum_;    // of the part being filled
  std::optional<Digest> sealed_checksum_;  // of the parts before it
  std::vector<Hasher> expected_;           // for the digests the caller expects
  std::uint64_t total_ = 0;
  std::string mode_, mode_reason_;  // "": by what was sent
  int part_number_ = 1;
  State state_ = State::open;
  SteadyTime begun_;
};

}  // namespace penstock::s3
