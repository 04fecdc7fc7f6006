// Trains a model on the built-in synthetic shop and shows how good it is: beside popularity and a Markov chain, and
// beside the best predictor that there can be for this shop, which knows how the sessions were made.
#include "gru4rec/gru4rec.hpp"
#include "support/progress_bar.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

void print_row(const char* name, const gru4rec::Evaluation& evaluation) {
    std::printf("  %-24s %9.4f %9.4f\n", name, evaluation.recall_at(20), evaluation.mrr_at(20));
}

/// What training shows: a bar after steps, a line after epochs.
class Report {
  public:
    explicit Report(int n_epochs) : bar_(n_epochs) {}

    bool operator()(const gru4rec::StepReport& step) {
        bar_.show(step);
        return true;
    }

    bool operator()(const gru4rec::EpochReport& epoch) {
        bar_.clear();
        std::printf("  epoch %d   loss %.4f   %5.2f s   %8.0f events/s\n", epoch.epoch, epoch.loss, epoch.seconds,
                    epoch.events_per_second());
        std::fflush(stdout);
        bar_.start_epoch();
        return true;
    }

  private:
    ProgressBar bar_;
};

/// The longest session of at most six events, so that the history can be seen to matter.
gru4rec::SessionIndex example_session(const gru4rec::Dataset& data) {
    gru4rec::SessionIndex best{};
    std::size_t length = 0;
    for (gru4rec::Index s = 0; s < data.n_sessions(); ++s) {
        const std::size_t size = data.session(gru4rec::to_session(s)).size();
        if (size <= 6 && size > length) {
            best = gru4rec::to_session(s);
            length = size;
        }
    }
    return best;
}

void recommend_for_example(const gru4rec::Model<float>& model, const gru4rec::Dataset& test) {
    const auto session = test.session(example_session(test));
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> state(model);
    std::printf("\nA visitor looked at items");
    for (std::size_t e = 0; e + 1 < session.size(); ++e) {
        recommender.advance(state, session[e]);
        std::printf(" %s", std::string(model.items().id(session[e])).c_str());
    }
    std::printf("; next came %s. The model's top 5:\n", std::string(model.items().id(session.back())).c_str());
    for (const auto& [item, score] : recommender.recommend(state, 5)) {
        std::printf("  item %-6s score %7.3f%s\n", std::string(model.items().id(item)).c_str(),
                    static_cast<double>(score), item == session.back() ? "   <- what came next" : "");
    }
}

void run() {
    const gru4rec::SyntheticShop shop({.n_sessions = 40000});
    const gru4rec::SyntheticData data = gru4rec::split_synthetic(shop);
    std::printf("A synthetic shop: %td items; %td sessions with %td events to learn from, %td sessions to predict.\n\n",
                data.train.n_items(), data.train.n_sessions(), data.train.n_events(), data.test.n_sessions());

    const gru4rec::Hyperparameters parameters{.layers = {100},
                                              .n_epochs = 6,
                                              .learning_rate = 0.1,
                                              .dropout_p_embed = 0.3,
                                              .dropout_p_hidden = 0.2,
                                              .n_sample = 512,
                                              .logq = 1};
    gru4rec::Model<float> model(parameters, data.train.items(),
                                {data.train.supports().begin(), data.train.supports().end()});
    gru4rec::Trainer<float> trainer(model);
    std::printf("Training a GRU of 100 units:\n");
    trainer.fit(data.train, Report(parameters.n_epochs));

    std::printf("\n  %-24s %9s %9s\n", "", "Recall@20", "MRR@20");
    print_row("popularity", gru4rec::evaluate(gru4rec::Popularity(data.train), data.test));
    print_row("Markov chain", gru4rec::evaluate(gru4rec::Markov(data.train), data.test));
    print_row("GRU4Rec", gru4rec::evaluate(model, data.test));
    print_row("best possible predictor",
              gru4rec::evaluate(gru4rec::SyntheticOracle(shop, data.train.items()), data.test));
    recommend_for_example(model, data.test);
}

}  // namespace

int main() {
    try {
        run();
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return EXIT_FAILURE;
    }
}
