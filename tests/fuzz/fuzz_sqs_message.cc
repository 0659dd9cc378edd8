// What a queue answers is read or corrupt, whatever it holds; a message comes with its handle and its own
// body.
#include <string>

#include <nlohmann/json.hpp>

#include "penstock/base/json.h"
#include "penstock/sqs/message.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = fuzz::parsed([&] { return parse_json(fuzz::text_of(data, size), 16); });
  if (!json || !json->is_object()) return 0;
  if (const auto received = fuzz::parsed([&] { return sqs::received_from(*json); })) {
    claim(!received->receipt_handle.empty(), "what is received can be deleted");
    claim(received->body.size() <= size, "a body is taken from the text");
    // What came can be sent on, or is refused.
    const sqs::Message again{.body = received->body, .attributes = received->attributes};
    fuzz::parsed([&] {
      sqs::check_message(again, false, 1 << 20);
      return sqs::to_json(again, false).dump();
    });
  }
  if (const auto sent = fuzz::parsed([&] { return sqs::sent_from(*json, "hello"); }))
    claim(!sent->id.empty(), "what was sent has an id");
  return 0;
}
