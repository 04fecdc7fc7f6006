// Runs before the page is drawn, so that a chosen theme does not flash.
const chosenTheme = (() => {
  try {
    return localStorage.getItem("gru4rec.theme");
  } catch {
    return null; // storage is switched off
  }
})();
if (chosenTheme === "light" || chosenTheme === "dark") {
  document.documentElement.dataset.theme = chosenTheme;
}
