// Appended to the main function of the tests: writes which mutants each test case reaches, and how long it takes, to
// the file that GRU4REC_MUTANT_REACHED names. One line per case: file, name, seconds, mutants; the first line holds all
// mutants that are in the program.

#include <chrono>
#include <fstream>

#include "mutation/mutant.hpp"

namespace {

class ReachedByCase : public doctest::IReporter {
  public:
    explicit ReachedByCase(const doctest::ContextOptions&) {
        if (const char* path = std::getenv("GRU4REC_MUTANT_REACHED")) {
            out_.open(path);
            out_ << "compiled";
            write(gru4rec_mutant::compiled);
        }
    }

    void test_case_start(const doctest::TestCaseData& data) override {
        data_ = &data;
        std::fill_n(gru4rec_mutant::reached, gru4rec_mutant::max_mutants, false);
        start_ = std::chrono::steady_clock::now();
    }
    void test_case_end(const doctest::CurrentTestCaseStats&) override {
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
        out_ << data_->m_file.c_str() << '\t' << data_->m_name << '\t' << seconds.count();
        write(gru4rec_mutant::reached);
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

  private:
    void write(const bool* marked) {
        for (int id = 1; id < gru4rec_mutant::max_mutants; ++id) {
            if (marked[id]) {
                out_ << '\t' << id;
            }
        }
        out_ << std::endl;
    }

    std::ofstream out_;
    const doctest::TestCaseData* data_ = nullptr;
    std::chrono::steady_clock::time_point start_;
};

REGISTER_LISTENER("reached_by_case", 1, ReachedByCase);

}  // namespace
