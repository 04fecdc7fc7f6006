#ifndef GRU4REC_PYTHON_MODEL_HPP
#define GRU4REC_PYTHON_MODEL_HPP

#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "item_ids.hpp"

namespace gru4rec_python {

using Model = gru4rec::Model<float>;
using Recommender = gru4rec::Recommender<float>;

/// A model and the ids that its items have in Python. Its weights change only during fit, when nothing but the
/// callbacks sees it.
class PythonModel {
  public:
    PythonModel(Model model, ItemIds ids) : model_(std::move(model)), ids_(std::move(ids)) {}

    PythonModel(const PythonModel&) = delete;  // recommenders refer to the model
    PythonModel& operator=(const PythonModel&) = delete;

    [[nodiscard]] Model& model() noexcept { return model_; }
    [[nodiscard]] const Model& model() const noexcept { return model_; }
    [[nodiscard]] const ItemIds& ids() const noexcept { return ids_; }
    [[nodiscard]] nanobind::object id(gru4rec::ItemIndex item) const {
        return ids_.id(model_.items(), gru4rec::to_index(item));
    }

    /// The item of an id, if the model knows it.
    [[nodiscard]] std::optional<gru4rec::ItemIndex> find(nanobind::handle id) const {
        std::string buffer;
        return model_.items().find(id_text(id, buffer));
    }

    /// A recommender that no other thread uses, returned to its owner by the destructor.
    class Lease {
      public:
        explicit Lease(PythonModel& owner) : owner_(&owner), recommender_(owner.take()) {}
        ~Lease() { owner_->give_back(std::move(recommender_)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;

        [[nodiscard]] Recommender* operator->() const noexcept { return recommender_.get(); }
        [[nodiscard]] Recommender& operator*() const noexcept { return *recommender_; }

      private:
        PythonModel* owner_;
        std::unique_ptr<Recommender> recommender_;
    };

  private:
    [[nodiscard]] std::unique_ptr<Recommender> take() {
        {
            const std::scoped_lock lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<Recommender> recommender = std::move(idle_.back());
                idle_.pop_back();
                return recommender;
            }
        }
        return std::make_unique<Recommender>(std::as_const(model_));
    }
    void give_back(std::unique_ptr<Recommender> recommender) noexcept {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(std::move(recommender));
    }

    Model model_;
    ItemIds ids_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Recommender>> idle_;  // after the model, which they refer to
};

}  // namespace gru4rec_python

#endif
