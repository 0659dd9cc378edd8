// What endpoints and processes answer when they are asked for keys: whole keys, or one denied that shows
// nothing of it.
#include <nlohmann/json.hpp>

#include "penstock/aws/key_answer.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

template <class Read>
void keys_or_denied(Read&& read) {
  try {
    const aws::Credentials keys = read();
    claim(!keys.access_key_id.empty() && !keys.secret_access_key.empty(), "keys are whole");
  } catch (const Error& error) {
    claim(error.kind() == Kind::denied, "an answer without keys is denied");
    claim(error.message().size() < 200, "a message quotes no answer");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  keys_or_denied([&] { return aws::keys_in(aws::parse_answer(text, "test"), {}, "test"); });
  keys_or_denied([&] { return aws::keys_in_xml(text, "AssumeRole", "test"); });
  return 0;
}
