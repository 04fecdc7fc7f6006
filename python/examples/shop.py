"""Trains on a made-up shop, measures the model, and recommends."""

import random

from gru4rec import Epoch, GRU4Rec


def walk(draw: random.Random) -> list[str]:
    """A session that goes from item to neighbouring item."""
    item = draw.randrange(200)
    steps = [draw.choice([1, 1, 1, 2, 17]) for _ in range(draw.randint(2, 8))]
    return [f"item {(item + sum(steps[:i])) % 200}" for i in range(len(steps))]


def show(epoch: Epoch) -> None:
    print(f"epoch {epoch.epoch}: loss {epoch.loss:.3f}")


draw = random.Random(1)
train = [walk(draw) for _ in range(5000)]
test = [walk(draw) for _ in range(500)]

model = GRU4Rec(layers=[64], n_epochs=3, n_sample=128).fit(train, callbacks=[show])
print(f"Recall@5 {model.evaluate(test, cutoffs=[5]).recall_at(5):.3f}")

visitor = model.session()
visitor.click("item 7")
visitor.click("item 8")
for item, score in visitor.top(3, exclude=["item 7", "item 8"]):
    print(f"{item}: score {score:.2f}")
