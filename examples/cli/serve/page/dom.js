// Small helpers. Texts from outside become text nodes, never markup.

export const byId = (id) => document.getElementById(id);

/** An element with a class and children: elements, or texts. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) {
    element.className = className;
  }
  element.append(...children);
  return element;
}

export const unseen = (text) => make("span", "unseen", text);

/** What cannot be seen and is not worth hearing. */
export function silent(element) {
  element.setAttribute("aria-hidden", "true");
  return element;
}

/** Name and id of an item, and its picture if it has one. A name may be in any script and of any direction. */
export function itemLabel(item) {
  const label = make("span", "item");
  if (item.picture) {
    const picture = make("img");
    picture.alt = "";
    picture.loading = "lazy";
    picture.referrerPolicy = "no-referrer";
    picture.width = picture.height = 28;
    picture.addEventListener("error", () => picture.remove());
    picture.src = item.picture;
    label.append(picture);
  }
  const texts = make("span", "texts", make("bdi", "name", item.name || item.id));
  if (item.name) {
    texts.append(" ", make("bdi", "id", item.id));
  }
  label.append(texts);
  return label;
}

export const nameOf = (item) => item.name || item.id;

/** 84 µs, 2.1 ms, 1.25 s */
export function duration(microseconds) {
  if (!Number.isFinite(microseconds)) {
    return "none";
  }
  if (microseconds < 1000) {
    return `${Math.round(microseconds)} µs`;
  }
  return microseconds < 1e6
    ? `${(microseconds / 1000).toPrecision(microseconds < 1e5 ? 2 : 3)} ms`
    : `${(microseconds / 1e6).toPrecision(3)} s`;
}

/**
 * Makes the buttons of a list one stop of the Tab key; arrow keys, Home and End move among them.
 *
 * @param before  what has the focus when it moves up from the first one; may be missing
 */
export function rove(list, before) {
  const buttons = () => [...list.querySelectorAll("button")];
  const choose = (button) => {
    for (const other of buttons()) {
      other.tabIndex = other === button ? 0 : -1;
    }
  };
  list.addEventListener("focusin", (event) => choose(event.target));
  list.addEventListener("keydown", (event) => {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    if (to < 0) {
      before?.focus();
    } else {
      all[Math.min(to, all.length - 1)]?.focus();
    }
  });
  return {
    /** To be called when the buttons have changed. */
    renew() {
      const all = buttons();
      choose(all.find((button) => button === document.activeElement) ?? all[0]);
    },
    focus(index = 0) {
      const all = buttons();
      all[Math.max(0, Math.min(index, all.length - 1))]?.focus();
    },
    focused: () => buttons().indexOf(document.activeElement),
  };
}
