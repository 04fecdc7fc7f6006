"""A plain PyTorch trainer of GRU4Rec, written from docs/model.md. It stands for the existing ports to PyTorch, whose
licence forbids shipping them.

The cell is PyTorch's GRUCell; with one-hot input, where a row of the input table takes the place of a product, the same
equations. Only the rows of a step's items are read and updated.
"""
import math

import torch
from torch.nn import functional

EPSILON = 1e-6
STEPS_AHEAD = 64  # negatives are drawn for so many steps at once


class Adagrad:
    """Adagrad with momentum on one tensor: on all of it, or on some rows.

    a += g^2, v = momentum v - learning_rate g / sqrt(a + epsilon), weight += v
    """

    def __init__(self, weight, learning_rate, momentum):
        self.weight = weight
        self.learning_rate, self.momentum = learning_rate, momentum
        self.squares = torch.zeros_like(weight)
        self.velocity = torch.zeros_like(weight) if momentum > 0 else None

    def update(self, gradient):
        self.squares.addcmul_(gradient, gradient)
        step = gradient * (self.squares + EPSILON).rsqrt_().mul_(-self.learning_rate)
        if self.velocity is not None:
            step = self.velocity.mul_(self.momentum).add_(step)
        self.weight.add_(step)

    def update_rows(self, rows, gradient):
        """:param rows: distinct indices, (n)
        :param gradient: (n, width)
        """
        squares = self.squares.index_select(0, rows).addcmul_(gradient, gradient)
        self.squares.index_copy_(0, rows, squares)
        step = gradient * squares.add_(EPSILON).rsqrt_().mul_(-self.learning_rate)
        if self.velocity is not None:
            step.add_(self.velocity.index_select(0, rows), alpha=self.momentum)
            self.velocity.index_copy_(0, rows, step)
        self.weight.index_add_(0, rows, step)


class Rows:
    """The rows of a table that a step reads, each once, as a leaf that gets their gradient."""

    def __init__(self, optimizer, items):
        self.optimizer = optimizer
        self.rows, self.places = torch.unique(items, return_inverse=True)
        self.leaf = optimizer.weight.index_select(0, self.rows).requires_grad_()

    def read(self, begin, end):
        """The rows of items[begin:end], (end - begin, width)."""
        return self.leaf.index_select(0, self.places[begin:end])

    def update(self):
        self.optimizer.update_rows(self.rows, self.leaf.grad)


class Trainer:
    def __init__(self, settings, weights, supports):
        """:param settings: hyper-parameters by name, as text
        :param weights: tensors by the names of docs/file_format.md; they are changed
        :param supports: events of each item in training, (V)
        """
        def number(name):
            return float(settings.get(name, 0))

        def adagrad(name):
            return Adagrad(weights[name], number("learning_rate"), number("momentum"))

        self.batch_size, self.n_sample = int(settings["batch_size"]), int(settings["n_sample"])
        self.dropout_embed, self.dropout_hidden = number("dropout_p_embed"), number("dropout_p_hidden")
        self.logq, self.bpreg = number("logq"), number("bpreg")
        self.elu = float(settings["final_act"].removeprefix("elu-")) if settings["loss"] == "bpr-max" else None
        self.one_hot = settings["constrained_embedding"] in ("false", "0")

        self.table, self.biases = adagrad("Wy.weight"), adagrad("By.weight")
        cell = "GE." if self.one_hot else "G.0."
        self.inputs = adagrad(cell + "weight_ih")
        self.layer = [adagrad(cell + name) for name in ("weight_hh", "bias_ih", "bias_hh")]
        if not self.one_hot:
            self.layer.append(self.inputs)
        for optimizer in self.layer:
            optimizer.weight.requires_grad_()

        self.popularity = supports.double().pow(number("sample_alpha"))
        self.log_q_target = supports.double().log().float()
        self.log_q_drawn = self.popularity.log().float()
        self.drawn = torch.empty(0, self.n_sample, dtype=torch.int64)
        self.hidden = torch.zeros(self.batch_size, weights["Wy.weight"].shape[1])

    def draw_negatives(self):
        """(n_sample)"""
        if self.n_sample == 0:
            return self.drawn.reshape(0)
        if len(self.drawn) == 0:
            self.drawn = torch.multinomial(self.popularity, STEPS_AHEAD * self.n_sample, replacement=True)
            self.drawn = self.drawn.reshape(STEPS_AHEAD, self.n_sample)
        negatives, self.drawn = self.drawn[0], self.drawn[1:]
        return negatives

    def step(self, inputs, targets, is_new, negatives):
        """Trains on one mini-batch.

        :param inputs: current item of each lane, (M)
        :param targets: next item of each lane, (M)
        :param is_new: whether a lane begins a session, (M)
        :param negatives: further candidates, (n_sample)
        :returns: the loss, summed over the lanes and divided by batch_size
        """
        n = len(inputs)
        candidates = torch.cat([targets, negatives])
        if self.one_hot:
            candidate_rows, input_rows = Rows(self.table, candidates), Rows(self.inputs, inputs)
            x, vectors = input_rows.read(0, n), candidate_rows.read(0, len(candidates))
        else:  # one update for what an item gets as an input and as a candidate
            candidate_rows, input_rows = Rows(self.table, torch.cat([inputs, candidates])), None
            x, vectors = candidate_rows.read(0, n), candidate_rows.read(n, n + len(candidates))
        bias_rows = Rows(self.biases, candidates)
        hidden = self.cell(functional.dropout(x, self.dropout_embed), self.hidden.masked_fill(is_new[:, None], 0))
        hidden = functional.dropout(hidden, self.dropout_hidden)
        scores = torch.addmm(bias_rows.read(0, len(candidates)).T, hidden, vectors.T)
        loss = self.loss(scores, targets, negatives) / self.batch_size
        loss.backward()
        self.hidden = hidden.detach()
        with torch.no_grad():
            for rows in (candidate_rows, bias_rows, input_rows):
                if rows is not None:
                    rows.update()
            for optimizer in self.layer:
                optimizer.update(optimizer.weight.grad)
                optimizer.weight.grad = None
        return loss.item()

    def cell(self, x, hidden):
        weight_hh, bias_ih, bias_hh = (optimizer.weight for optimizer in self.layer[:3])
        if not self.one_hot:
            return torch.gru_cell(x, hidden, self.inputs.weight, weight_hh, bias_ih, bias_hh)
        x_r, x_z, x_n = (x + bias_ih).chunk(3, dim=1)
        h_r, h_z, h_n = torch.addmm(bias_hh, hidden, weight_hh.T).chunk(3, dim=1)
        candidate = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
        return torch.lerp(candidate, hidden, torch.sigmoid(x_z + h_z))

    def loss(self, scores, targets, negatives):
        """The sum over the lanes; the target of lane i is column i."""
        own = torch.arange(len(targets))
        if self.elu is None:
            if self.logq:
                log_q = torch.cat([self.log_q_target[targets], self.log_q_drawn[negatives]])
                scores = scores - self.logq * log_q
            return functional.cross_entropy(scores, own, reduction="sum")
        scores = functional.elu(scores, self.elu)
        target = scores.diagonal()[:, None]
        weights = torch.softmax(scores.diagonal_scatter(torch.full((len(own),), -math.inf)), dim=1)
        chance = (weights * torch.sigmoid(target - scores)).sum(dim=1)
        penalty = (weights * scores.square()).sum(dim=1)
        return (self.bpreg * penalty - torch.log(chance + 1e-24)).sum()


class RandomSessions:
    """Mini-batches of sessions without end: items by popularity, a session ends after every third pair on average."""

    def __init__(self, supports, n_lanes, seed=42):
        self.generator = torch.Generator().manual_seed(seed)
        self.popularity, self.n_lanes = supports.double(), n_lanes
        self.items = torch.empty(0, n_lanes, dtype=torch.int64)
        self.current = self.draw()

    def draw(self):
        if len(self.items) == 0:
            n = 1000
            self.items = torch.multinomial(self.popularity, n * self.n_lanes, True, generator=self.generator)
            self.items = self.items.reshape(n, self.n_lanes)
        items, self.items = self.items[0], self.items[1:]
        return items

    def next(self):
        """inputs, targets, is_new"""
        is_new = torch.rand(self.n_lanes, generator=self.generator) < 1 / 3
        inputs = torch.where(is_new, self.draw(), self.current)
        self.current = self.draw()
        return inputs, self.current, is_new
