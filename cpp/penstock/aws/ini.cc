#include "penstock/aws/ini.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "penstock/base/error.h"

namespace penstock::aws {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string collapse_blanks(std::string_view text) {
  std::string out;
  for (char c : trim(text)) {
    const bool blank = kBlank.find(c) != std::string_view::npos;
    if (!blank)
      out += c;
    else if (out.back() != ' ')
      out += ' ';
  }
  return out;
}

// Quotes protect: credential_process = sh -c 'first ; second' has no comment.
std::string_view without_comment(std::string_view value) {
  char quote = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if ((c == '#' || c == ';') && i > 0 && kBlank.find(value[i - 1]) != std::string_view::npos) {
      return trim(value.substr(0, i));
    }
  }
  return value;
}

class Parser {
 public:
  explicit Parser(const std::string& subject) : subject_(subject) {}

  void line(std::string_view raw) {
    ++number_;
    const auto text = trim(raw);
    if (text.empty() || text.front() == '#' || text.front() == ';') return;
    const auto indent = raw.find_first_not_of(kBlank);
    if (value_ && indent > indent_)
      value_->append("\n").append(without_comment(text));
    else if (text.front() == '[')
      header(text);
    else
      property(text, indent);
  }
  Ini take() { return std::move(ini_); }

 private:
  [[noreturn]] void refuse(const char* why) const {
    throw Error{Kind::refused,
                fmt::format("{} line {}: {}", subject_, number_, why),
                {.doing = "read configuration", .subject = subject_}};
  }

  void header(std::string_view text) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) refuse("a section name that is not closed by ]");
    section_ = &ini_[collapse_blanks(text.substr(1, end - 1))];
    value_ = nullptr;
  }

  void property(std::string_view text, std::size_t indent) {
    if (!section_) refuse("a setting before the first [section]");
    const auto sign = text.find_first_of("=:");
    if (sign == std::string_view::npos || sign == 0) refuse("neither [section] nor key = value");
    value_ = &(*section_)[lower(trim(text.substr(0, sign)))];
    *value_ = without_comment(trim(text.substr(sign + 1)));
    indent_ = indent;
  }

  const std::string& subject_;
  Ini ini_;
  std::size_t number_ = 0, indent_ = 0;
  IniSection* section_ = nullptr;
  std::string* value_ = nullptr;  // of the last key, which indented lines go on with
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void throw_unreadable(const std::string& path) {
  throw Error{Kind::denied,
              fmt::format("{} cannot be read: {}", path, std::strerror(errno)),
              {.doing = "read configuration", .subject = path}};
}

std::string read_within_limit(int fd, const std::string& path) {
  std::string text;
  char buffer[16 * 1024];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_unreadable(path);
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaxIniBytes)
      throw Error{Kind::refused,
                  fmt::format("{} is over {} bytes, which no configuration file is", path, kMaxIniBytes),
                  {.doing = "read configuration", .subject = path, .code = std::string{code::kTooLarge}}};
  }
  return text;
}

}  // namespace

Ini parse_ini(std::string_view text, const std::string& subject) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Parser parser{subject};
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    parser.line(text.substr(at, end - at));
    at = end + 1;
  }
  return parser.take();
}

std::optional<Ini> read_ini(const std::string& path) {
  struct stat status{};
  // Asked first, since opening a FIFO would wait for a writer.
  if (stat(path.c_str(), &status) != 0) {
    if (errno == EACCES) throw_unreadable(path);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0) throw_unreadable(path);
  return parse_ini(read_within_limit(file.get(), path), path);
}

}  // namespace penstock::aws
