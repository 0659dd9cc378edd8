// The patterns of KeyScan, with Redis's meaning, over bytes: `*` any run, `?` one byte, `[ab]` `[a-z]` `[^a]`
// one of them or none of them, `\` takes the next byte as it is.
//
// A class without its `]` ends with the pattern; `[]` is no byte and `[^]` any; a `\` at the end is itself.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::kv {

class Glob {
 public:
  explicit Glob(std::string_view pattern);

  // Takes at most pattern x text steps.
  bool matches(std::string_view text) const;
  // What every match begins with.
  const std::string& prefix() const { return prefix_; }

 private:
  using Set = std::bitset<256>;
  struct Token {
    bool run = false;  // `*`
    Set bytes{};       // otherwise one of these
  };
  static Set one(char byte);
  static Set read_class(std::string_view& rest);
  std::vector<Token> tokens_;
  std::string prefix_;
};

// `text` as a pattern that matches it alone.
std::string escape_glob(std::string_view text);

}  // namespace penstock::kv
