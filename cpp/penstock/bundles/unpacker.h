// What a body turns out to be: itself, what it was compressed from, or the members of an archive.
//
// Its first bytes decide, with what the resource says it is; an archive within an archive is a member.
// Source: docs/formats/bundle-archives.md.
//
// Life:    next() until it gives null: only then is an archive known to be whole. Borrows the body.
// Threads: one caller at a time.
// Memory:  512 bytes, and that of the reader (codecs/); a bit for each entry of a zip.
// Failure: as the readers say: Error(corrupt) for what is damaged or cut short, Error(refused) for what is
//          encrypted, of a name that leads out of a folder, or beyond the limits. After an Error next()
//          throws it again.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/declared.h"
#include "penstock/codecs/archive.h"
#include "penstock/codecs/gunzip.h"
#include "penstock/codecs/limits.h"
#include "penstock/codecs/zip_reader.h"
#include "penstock/streams/peek.h"

namespace penstock::bundles {

struct UnpackOptions {
  bool keep_zip = false;         // what says it is a zip stays whole
  bool ignore_trailing = false;  // what follows gzip and is none is dropped
  codecs::Limits limits{};
};

struct Unpacked {
  Resource resource{};
  std::string skipped{};  // why it is not to be stored: a link, a device; "": it is
};

class Unpacker {
 public:
  Unpacker(Source& body, Resource declared, UnpackOptions options = {});
  explicit Unpacker(Source&& body, Resource declared, UnpackOptions options = {}) = delete;

  // Reads what it needs to know; done by next() otherwise. True: its members are several, and one thing.
  bool is_archive();

  // What is to be stored or passed over next; null at the end. Valid until the next call.
  const Unpacked* next();
  // Of what next() gave, and until it is called again; empty for what is skipped.
  Source& content();

  // Once next() gave null: the numbers, from 0 and rising, of those it gave to be stored that are links or
  // devices after all. Only the end of a zip says so.
  std::vector<std::uint64_t> withdrawn() const;

 private:
  enum class Form { unknown, whole, gzip, tar, zip };
  void decide();
  Form open(const Declared& declared);
  Form form_of_body(const Declared& declared);
  Form form_of_zip(const Declared& declared);
  bool ends_in_its_magic(const Declared& declared);
  Form inflate();
  void open_archive(Form form);
  const Unpacked* give_only();
  const Unpacked* give_member();

  Peek body_;
  Resource resource_;  // with its URL and type once inflated
  UnpackOptions options_;
  DerivedFrom from_;
  Form form_ = Form::unknown;
  std::unique_ptr<codecs::Gunzip> gunzip_;
  std::unique_ptr<Peek> inflated_;
  std::unique_ptr<codecs::Archive> archive_;
  const codecs::ZipReader* zip_ = nullptr;  // the archive, if it is one
  std::vector<bool> stored_;                // of each entry of a zip
  Unpacked unpacked_;
  bool given_ = false;
  std::exception_ptr failure_;
};

}  // namespace penstock::bundles
