import { hasToken, ready, setToken } from "./api.js";
import { byId } from "./dom.js";
import { startLive, stopLive } from "./live.js";
import { startTry } from "./try.js";

// The problem that is shown, and what is to be done again.

const problem = byId("problem");
let again = () => {};

function showProblem(failure, retry) {
  if (failure?.status === 401) {
    askForToken(failure, retry);
    return;
  }
  problem.hidden = !failure;
  if (failure) {
    const words = problem.querySelector("p");
    if (words.textContent !== failure.message) {
      words.textContent = failure.message; // which is read out
    }
    again = retry;
  }
}
problem.querySelector("button").addEventListener("click", () => {
  problem.hidden = true;
  again();
});

// The token: kept by api.js for as long as the tab is open.

const dialog = byId("token-dialog");
const waiting = new Set();

function askForToken(failure, retry) {
  waiting.add(retry);
  const refused = byId("token-problem");
  refused.hidden = !hasToken();
  refused.textContent = hasToken() ? failure.message : "";
  if (!dialog.open) {
    dialog.showModal();
  }
}
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token").value.trim());
  byId("token").value = "";
  dialog.close();
});
dialog.addEventListener("close", () => {
  const retries = [...waiting];
  waiting.clear();
  if (hasToken()) {
    for (const retry of retries) {
      retry();
    }
  } else {
    showProblem(new Error("Without its token the server answers nothing."), () => retries.forEach((retry) => retry()));
  }
});

// The tabs.

const tabs = [...document.querySelectorAll("[role=tab]")];

function showTab(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  showProblem(null);
  document.querySelector(".skip").hidden = tab.id !== "tab-try";
  if (tab.id === "tab-live") {
    startLive(showProblem);
  } else {
    stopLive();
  }
}
for (const tab of tabs) {
  tab.addEventListener("click", () => showTab(tab));
  tab.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = tabs.at(to % tabs.length);
      showTab(next);
      next.focus();
    }
  });
}

// The theme: that of the system unless another one is chosen.

const themeButton = byId("theme");
const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches);

function nameTheme() {
  const other = isDark() ? "Light" : "Dark";
  themeButton.textContent = other;
  themeButton.setAttribute("aria-label", `${other} theme`);
}
themeButton.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  const isSystems = (theme === "dark") === darkSystem.matches;
  if (isSystems) {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
  }
  try {
    if (isSystems) {
      localStorage.removeItem("gru4rec.theme");
    } else {
      localStorage.setItem("gru4rec.theme", theme);
    }
  } catch {
    // It lasts as long as the page.
  }
  nameTheme();
});
darkSystem.addEventListener("change", nameTheme);
nameTheme();

// What is served.

async function showModel() {
  try {
    const { items, model } = await ready();
    byId("model").textContent = `${items.toLocaleString("en")} items${model ? ` · model ${model.slice(0, 8)}` : ""}`;
  } catch {
    byId("model").textContent = ""; // the lists say why
  }
}

showModel();
startTry(showProblem);
