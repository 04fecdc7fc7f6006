// The tab "Try". The session is kept here and sent whole with every question, so that the last click can be taken back and
// the list without it is the server's own answer.

import { recommend, search } from "./api.js";
import { byId, duration, itemLabel, make, nameOf, rove, silent, unseen } from "./dom.js";

const nShown = 50; // items found
const session = [];
let showProblem;
let lists = null; // {now, before} as they are shown

const searchBox = byId("search");
const results = rove(byId("results"), searchBox);
const ranking = rove(byId("next"));
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Searching

let searches = 0;

async function find() {
  const turn = ++searches;
  try {
    const found = await search(searchBox.value.trim(), nShown);
    if (turn === searches) {
      showFound(found);
    }
  } catch (failure) {
    if (turn === searches) {
      showProblem(failure, find);
    }
  }
}

function showFound({ items, total }) {
  const count = total.toLocaleString("en");
  byId("found").textContent =
    items.length === 0 ? "No item has this name or id."
    : items.length < total ? `The first ${items.length} of ${count} items`
    : `${count} ${total === 1 ? "item" : "items"}`;
  byId("results").replaceChildren(...items.map((item) => {
    const button = make("button", "", itemLabel(item));
    button.type = "button";
    button.tabIndex = -1;
    button.addEventListener("click", () => click(item));
    return make("li", "", button);
  }));
  results.renew();
}

// The session

function click(item) {
  session.push(item);
  refresh(`${nameOf(item)} was added.`);
}

function takeBack() {
  const item = session.pop();
  if (item) {
    refresh(`${nameOf(item)} was removed.`);
  }
}

function startAgain() {
  session.length = 0;
  refresh("The session is empty.");
}

function showSession() {
  byId("session").replaceChildren(...session.map((item) => make("li", "", itemLabel(item))));
  byId("session").scrollTop = byId("session").scrollHeight;
  byId("session-empty").hidden = session.length > 0;
  for (const id of ["remove-last", "start-again"]) {
    const button = byId(id);
    if (session.length === 0 && document.activeElement === button) {
      searchBox.focus(); // a disabled button would lose the focus to nowhere
    }
    button.disabled = session.length === 0;
  }
}

// The lists

let turns = 0;

/** Asks for both lists. @param what  was done, to be read out with the outcome */
async function refresh(what = "") {
  const turn = ++turns;
  showSession();
  const n = Number(byId("n").value);
  const ids = session.map(({ id }) => id);
  const listAfter = (clicks) => recommend(clicks, n, byId("exclude-seen").checked ? [...new Set(clicks)] : []);
  try {
    const [now, before] = await Promise.all([listAfter(ids), ids.length > 0 ? listAfter(ids.slice(0, -1)) : null]);
    if (turn === turns) {
      showProblem(null);
      lists = { now, before };
      showLists(n);
      announce(what);
    }
  } catch (failure) {
    if (turn === turns) {
      showProblem(failure, () => refresh(what));
    }
  }
}

function showLists(n) {
  const { now, before } = lists;
  const focused = ranking.focused();
  const positions = tops(byId("next"));
  const rankBefore = before && new Map(before.items.map(({ id }, rank) => [id, rank]));
  byId("next").replaceChildren(...rows(now.items, (item, rank) => rankBefore && markOf(rankBefore.get(item.id), rank), click));
  ranking.renew();
  if (focused >= 0) {
    ranking.focus(focused);
  }
  slide(byId("next"), positions);

  const stays = new Set(now.items.map(({ id }) => id));
  byId("before").replaceChildren(...rows(before?.items ?? [], ({ id }) =>
    stays.has(id) ? mark("", "", "") : mark("out", "out", "not in the other list")));

  byId("next-time").textContent = timesOf(now);
  byId("before-time").textContent = before ? timesOf(before) : "";
  byId("next-note").textContent = noteOf(now, n, session.length);
  byId("before-note").textContent = before
    ? noteOf(before, n, session.length - 1)
    : "After the first click, this shows what would have come without it.";
}

function noteOf({ items, unknown }, n, nClicks) {
  const notes = [];
  if (unknown.length > 0) {
    notes.push(`The model does not know ${unknown.join(", ")}; it was left out.`);
  }
  if (items.length < n) {
    notes.push(items.length === 0 ? "No item may be recommended." : `Only ${items.length} items may be recommended.`);
  }
  if (nClicks === 0 && items.length > 0) {
    notes.push("Without a click: the most frequent items of the training data.");
  }
  return notes.join(" ");
}

const timesOf = ({ microseconds, milliseconds }) =>
  `server ${duration(microseconds)} · round trip ${duration(milliseconds * 1000)}`;

/** The rows of a list. @param choose  called with an item that is clicked; missing: the rows are not buttons */
function rows(items, markFor, choose) {
  const scores = items.map(({ score }) => score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  return items.map((item, rank) => {
    const bar = silent(make("span", "bar", make("span")));
    bar.firstChild.style.width = `${high > low ? 4 + 96 * (item.score - low) / (high - low) : 100}%`;
    const content = [
      make("span", "rank", String(rank + 1)), " ", itemLabel(item), " ", markFor(item, rank) || mark("", "", ""), bar,
      make("span", "score", unseen(" score "), item.score.toFixed(Math.abs(item.score) < 100 ? 2 : 0)),
    ];
    const row = make(choose ? "button" : "div", "row", ...content);
    if (choose) {
      row.type = "button";
      row.tabIndex = -1;
      row.addEventListener("click", () => choose(item));
    }
    const element = make("li", "", row);
    element.dataset.id = item.id;
    return element;
  });
}

function markOf(before, now) {
  if (before === undefined) {
    return mark("new", "new", "new in the list");
  }
  const by = before - now;
  const places = `${Math.abs(by)} ${Math.abs(by) === 1 ? "place" : "places"}`;
  return by > 0 ? mark("up", `▲ ${by}`, `up ${places}`)
    : by < 0 ? mark("down", `▼ ${-by}`, `down ${places}`)
    : mark("same", "=", "same place");
}

function mark(kind, sign, words) {
  return make("span", `mark ${kind}`, silent(make("span", "", sign)), unseen(words));
}

/** Where the rows of a list are, by id. */
function tops(list) {
  return new Map([...list.children].map((row) => [row.dataset.id, row.offsetTop]));
}

/** Lets rows glide from where they were; new ones fade in. */
function slide(list, from) {
  if (calm.matches || from.size === 0) {
    return;
  }
  for (const row of list.children) {
    const by = from.has(row.dataset.id) ? from.get(row.dataset.id) - row.offsetTop : 0;
    if (by !== 0) {
      row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 220, easing: "ease-out" });
    } else if (!from.has(row.dataset.id)) {
      row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 220 });
    }
  }
}

function announce(what) {
  const [first] = lists.now.items;
  const outcome = first ? `First comes ${nameOf(first)}.` : "Nothing comes next.";
  byId("announcement").textContent = what ? `${what} ${session.length} in the session. ${outcome}` : "";
}

function later(wait, action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
}

export function startTry(show) {
  showProblem = show;
  searchBox.addEventListener("input", later(120, find));
  searchBox.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      results.focus();
    }
  });
  byId("results").addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      searchBox.focus();
    }
  });
  byId("remove-last").addEventListener("click", takeBack);
  byId("start-again").addEventListener("click", startAgain);
  byId("exclude-seen").addEventListener("change", () => refresh("The list has changed."));
  byId("n").addEventListener("input", later(250, () => {
    if (byId("n").value !== "" && byId("n").validity.valid) {
      refresh("The list has changed.");
    }
  }));
  find();
  refresh();
}
