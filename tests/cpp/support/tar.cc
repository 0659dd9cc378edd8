#include "support/tar.h"

#include <cstdint>

namespace penstock::test {
namespace {

void put(std::string& block, std::size_t at, const std::string& text) {
  block.replace(at, text.size(), text);
}

std::string octal(std::uint64_t value, int digits) {
  std::string text;
  for (; digits > 0; --digits, value /= 8) text.insert(0, 1, static_cast<char>('0' + value % 8));
  return text;
}

}  // namespace

std::string with_sum(std::string block) {
  put(block, 148, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, octal(sum, 6) + std::string{"\0 ", 2});
  return block;
}

std::string padded(std::string body) {
  body.resize((body.size() + 511) / 512 * 512);
  return body;
}

std::string packed(const TarMember& member) {
  std::string block(512, '\0');
  put(block, 0, member.name);
  put(block, 100, "0000644");
  put(block, 124, member.size.empty() ? octal(member.body.size(), 11) : member.size);
  put(block, 136, "14000000000");
  block[156] = member.type;
  put(block, 157, member.link_to);
  put(block, 257, member.magic);
  put(block, 345, member.prefix);
  return with_sum(block) + padded(member.body);
}

std::string pax(const std::string& key, const std::string& value) {
  std::size_t length = key.size() + value.size() + 3;
  while (std::to_string(length).size() + key.size() + value.size() + 3 != length)
    length = std::to_string(length).size() + key.size() + value.size() + 3;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::string untar_prefix(const std::string& archive) {
  std::string all;
  for (std::size_t at = 0; at + 512 <= archive.size() && archive[at] != '\0';) {
    const std::size_t bytes = std::stoul(archive.substr(at + 124, 11), nullptr, 8);
    all += archive.substr(at + 512, bytes);
    at += 512 + (bytes + 511) / 512 * 512;
  }
  return all;
}

std::string tar(const std::vector<TarMember>& members) {
  std::string all;
  for (const TarMember& member : members) all += packed(member);
  return all + std::string(1024, '\0');
}

}  // namespace penstock::test
