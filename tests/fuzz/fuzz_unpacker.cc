// Whatever a body says it is and holds, it is unpacked into resources whose names stay in their folder and
// whose bytes stay within limits, or refused; the same however its bytes are cut.
// Input: a byte for what it says it is, then the body.
#include <string>
#include <vector>

#include "penstock/bundles/names.h"
#include "penstock/bundles/unpacker.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

constexpr std::uint64_t kMostBytes = 1 << 16;
constexpr const char* kUrls[] = {"https://h/x",     "https://h/x.gz",   "https://h/x.tar.gz?a=b#c",
                                 "https://h/x.zip", "https://h/x.tar",  "https://h",
                                 "x.docx",          "https://h/d/x.tgz"};
constexpr const char* kTypes[] = {nullptr, "application/zip", "application/gzip",
                                  "text/plain; charset=utf-8"};

bundles::Resource declared(std::uint8_t as) {
  bundles::Resource resource{.url = kUrls[as % 8]};
  if (const char* type = kTypes[as / 8 % 4]) resource.content_type = type;
  return resource;
}

void check_resource(const bundles::Resource& resource) {
  const std::string name = bundles::resource_name(resource.url);
  claim(!fuzz::leads_out(name) && name.find('/') == name.npos && name != ".", "a name is one of its folder");
  claim(name.size() <= bundles::kMaxNameBytes && !name.ends_with(".meta"), "and of no other meaning");
}

// The URLs of all it holds and why some are passed over, or nullopt if it says no.
std::optional<std::vector<std::string>> unpacked(std::string_view body, std::uint8_t as, std::size_t step,
                                                 bool skip, std::string& contents) {
  MemorySource whole{as_bytes(body)};
  SlowSource slow{whole, step};
  bundles::Unpacker unpacker{
      slow,
      declared(as),
      {.keep_zip = as >= 0xc0,
       .ignore_trailing = as / 32 % 2 == 1,
       .limits = {.total_bytes = kMostBytes, .entries = 100, .spool_bytes = kMostBytes}}};
  auto said = fuzz::parsed([&] {
    std::vector<std::string> all;
    std::size_t stored = 0, archive = unpacker.is_archive();
    while (const bundles::Unpacked* found = unpacker.next()) {
      check_resource(found->resource);
      stored += found->skipped.empty();
      all.push_back(found->resource.url + " " + found->skipped);
      std::byte some[333];
      while (const std::size_t got = skip ? 0 : unpacker.content().read(some))
        contents += as_text(Bytes{some}.first(got));
    }
    claim(archive || all.size() == 1, "what is no archive is one resource");
    claim(unpacker.next() == nullptr, "an end stays an end");
    for (const auto number : unpacker.withdrawn()) claim(number < stored, "what is withdrawn was stored");
    return all;
  });
  claim(contents.size() <= std::max<std::size_t>(kMostBytes, body.size()),
        "nothing beyond the limit comes out");
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto body = fuzz::text_of(data, size).substr(1);
  std::string contents, cut, skipped;
  const auto said = unpacked(body, data[0], 1 << 16, false, contents);
  claim(unpacked(body, data[0], 7, false, cut) == said, "cut otherwise it says the same");
  claim(!said || cut == contents, "and gives the same");
  unpacked(body, data[0], 1 << 16, true, skipped);
  return 0;
}
