#include "penstock/disk/file_sink.h"

#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>

#include "penstock/base/wait.h"

namespace penstock::disk {
namespace {

bool stays_in_urls(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-._~/"}.find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

std::string parent_of(const std::string& path) {
  std::string parent = std::filesystem::path{path}.parent_path().string();
  return parent.empty() ? "." : parent;
}

FileSink::FileSink(const std::string& path, Existing existing, Call call)
    : FileSink(Folder::open(parent_of(path)), split_path(path).name, existing, std::move(call)) {}

FileSink::FileSink(const Folder& folder, std::string_view name, Existing existing, Call call)
    : file_(folder, name), existing_(existing), call_(std::move(call)) {}

void FileSink::write(Bytes bytes) {
  if (ended_) throw std::logic_error("FileSink::write after its end");
  base::check(call_, "write a file");
  file_.write(bytes);
}

Receipt FileSink::finish() {
  if (std::exchange(ended_, true)) throw std::logic_error("FileSink::finish after its end");
  base::check(call_, "publish a file");
  file_.publish(existing_);
  Receipt receipt;
  receipt.bytes = file_.bytes();
  receipt.key = file_.path();
  receipt.location = file_url(file_.path());
  receipt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  receipt.mode = "file";
  return receipt;
}

void FileSink::abort(std::string_view) noexcept {
  ended_ = true;
  file_.discard();
}

std::string file_url(std::string_view path) {
  std::string url = "file://";
  for (unsigned char c : path)
    stays_in_urls(c) ? url += static_cast<char>(c) : url += fmt::format("%{:02X}", c);
  return url;
}

}  // namespace penstock::disk
