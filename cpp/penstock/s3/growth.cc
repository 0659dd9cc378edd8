// Where an ObjectWriter's pages come from: the Budget, its own parts as they land, or the part's file.
#include <algorithm>
#include <utility>

#include "penstock/s3/writer.h"

namespace penstock::s3 {

// How much of its part a page that add_page() takes may fill.
std::uint64_t ObjectWriter::left_for_a_page() const {
  if (part_ && part_is_full()) return plan_.size_of(part_number_ + 1);
  return plan_.size_of(part_number_) - (part_ ? part_->size() : 0);
}

bool ObjectWriter::part_takes_no_more() const {
  return !part_ || part_is_full() || part_->room().empty();
}

MutableBytes ObjectWriter::room() {
  if (part_takes_no_more()) add_page(spare_ ? std::exchange(spare_, Page{}) : fresh_page());
  const std::uint64_t left = plan_.size_of(part_number_) - part_->size();
  const MutableBytes space = part_->room();
  return space.first(std::min<std::uint64_t>(space.size(), left));
}

void ObjectWriter::add_page(Page page) {
  if (part_ && part_is_full()) seal();
  if (!part_) {
    part_ = std::make_shared<PagedPart>([flight = flight_](std::uint64_t bytes) { flight->release(bytes); });
  }
  flight_->hold(kPageBytes);
  part_->add(std::move(page));
}

Page ObjectWriter::fresh_page() {
  if (upload_ && part_ && part_is_full()) seal();
  for (;;) {
    if (may_spill() && part_->spills()) return spilled_page();
    if (auto page = next_page()) return *std::move(page);
    if (may_spill()) return spilled_page();
    seal_early();
  }
}

bool ObjectWriter::may_spill() const {
  return spool_dir_ && part_ && !part_is_full();
}

Page ObjectWriter::spilled_page() {
  Page page = part_->spill(*spool_dir_);
  flight_->release(kPageBytes);
  return page;
}

bool ObjectWriter::part_is_full() const {
  return part_->size() >= plan_.size_of(part_number_);
}

// Beyond what it is granted an upload begins a part only in the lower half of the Budget: with many uploads
// the whole of it is theirs by right, and parts that one has in flight besides would be on top of that.
// nullopt: the Budget is full, and nothing of this writer is under way whose end would give a page back.
std::optional<Page> ObjectWriter::next_page() {
  Budget& budget = *client_->http().budget();
  for (;;) {
    const std::uint64_t held = flight_->held();
    const bool further_part = held >= kGranted && (!part_ || part_is_full());
    if (auto page = further_part ? budget.try_spare_page() : budget.try_page()) return page;
    if (held < kGranted) return budget.overdraw_page();
    if (part_ && held == part_->page_bytes()) return std::nullopt;
    flight_->wait_for_release(held, call_);
    flight_->throw_fault();
  }
}

// The Budget has no room for the rest of a part above 8 MiB, and no file is allowed: what is there goes out
// as it is.
void ObjectWriter::seal_early() {
  if (part_is_full()) return seal();
  if (!plan_.equal_parts() && part_->size() >= plan_.min_part_bytes()) {
    growth_stopped_ = true;
    return seal();
  }
  throw Error{Kind::busy,
              "no room in the Budget of " + format_bytes(client_->http().budget()->statistics().limit) +
                  " for a part of " + format_bytes(plan_.size_of(part_number_)) +
                  "; give it more or a spool_dir, or run fewer transfers at once",
              {.side = Side::sink, .doing = "upload part " + std::to_string(part_number_), .code = "budget"}};
}

}  // namespace penstock::s3
