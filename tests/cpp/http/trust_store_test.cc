// Which bundle of authorities is read where nobody names one.
#include "penstock/http/trust_store.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace penstock::http {
namespace {

class TrustStore : public ::testing::Test {
 protected:
  std::string found(const std::string& built_in) {
    const std::array places{first_.c_str(), second_.c_str()};
    return trust_store(built_in.c_str(), places);
  }
  test::TemporaryFolder folder_;
  const std::string first_ = folder_ / "first.pem", second_ = folder_ / "second.pem";
  const std::string elsewhere_ = folder_ / "of-another-distribution.pem";
};

TEST_F(TrustStore, what_the_library_was_built_to_read_is_left_to_it) {
  test::write_file(first_, "PEM");
  EXPECT_EQ(found(first_), "");
  EXPECT_EQ(found(folder_.path()), "") << "a folder of certificates is one too";
}

TEST_F(TrustStore, a_library_of_another_distribution_reads_the_first_place_there_is) {
  test::write_file(second_, "PEM");
  EXPECT_EQ(found(elsewhere_), second_);
  test::write_file(first_, "PEM");
  EXPECT_EQ(found(elsewhere_), first_);
}

TEST_F(TrustStore, a_library_that_was_built_without_a_place_reads_the_first_there_is) {
  test::write_file(second_, "PEM");
  const std::array places{first_.c_str(), second_.c_str()};
  EXPECT_EQ(trust_store(nullptr, places), second_);
}

TEST_F(TrustStore, without_any_place_the_library_is_left_to_say_so) {
  EXPECT_EQ(found(elsewhere_), "");
}

}  // namespace
}  // namespace penstock::http
