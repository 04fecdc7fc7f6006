#ifndef GRU4REC_CLI_REPORT_PAGE_STYLE_HPP
#define GRU4REC_CLI_REPORT_PAGE_STYLE_HPP

#include <string_view>

namespace cli {

/// The CSS of a report without that of its charts. Colours and shapes are those of the server's page
/// (cli/serve/page/page.css).
inline constexpr std::string_view page_style = R"(:root {
  color-scheme: light;
  --ground: #f6f7f8; --sheet: #ffffff; --text: #1b1f24; --quiet: #59626d; --line: #dfe3e7; --edge: #858e99;
  --accent: #0a6b73; --accent-soft: #e2f0f1;
}
@media (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --ground: #121416; --sheet: #1a1d20; --text: #e5e8eb; --quiet: #9fa8b2; --line: #2d3237; --edge: #6f7983;
    --accent: #63c5c9; --accent-soft: #1c3436;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { text-size-adjust: 100%; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; padding: 0 clamp(0.5rem, 2.5vw, 2rem) 3rem;
  background: var(--ground); color: var(--text);
  font: 0.9375rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
}
header, main { max-width: 84rem; margin: 0 auto; }
header { padding: 1rem 0 0.75rem; }
h1, h2, p, dl, dd, ul { margin: 0; padding: 0; }
h1 { font-size: 1.25rem; line-height: 1.3; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 1.75rem 0 0.625rem; font-size: 1.0625rem; line-height: 1.3; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-size: 0.8125rem; overflow-wrap: anywhere; }
.sheet, figure {
  min-width: 0; margin: 0; padding: 0.75rem 1rem 0.875rem;
  border: 1px solid var(--line); border-radius: 10px; background: var(--sheet);
}
.note { margin-top: 0.625rem; padding: 0.5rem 0.875rem; border-left: 3px solid var(--edge); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 0.625rem 1.25rem; }
.facts dt { color: var(--quiet); font-size: 0.75rem; }
.facts dd { font-size: 1.25rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.figures {
  display: grid; gap: 0.75rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr));
}
figcaption { margin-bottom: 0.375rem; font-weight: 600; overflow-wrap: anywhere; }
figure > svg { display: block; width: 100%; height: auto; }
.keys {
  display: flex; flex-wrap: wrap; gap: 0.125rem 1rem; margin-top: 0.375rem;
  list-style: none; color: var(--quiet); font-size: 0.75rem;
}
.keys li { overflow-wrap: anywhere; }
.key { vertical-align: -1px; }
details { margin-top: 0.5rem; font-size: 0.75rem; }
summary { width: fit-content; color: var(--quiet); cursor: pointer; }
details .scroll { max-height: 20rem; overflow-y: auto; margin-top: 0.25rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; }
.tables { display: grid; gap: 0.75rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 60rem) { .tables.two { grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; } }
table { width: 100%; border-collapse: collapse; font-size: 0.8125rem; }
caption {
  padding-bottom: 0.375rem; font-size: 0.9375rem; font-weight: 600;
  text-align: start; overflow-wrap: anywhere;
}
caption .quiet { font-weight: 400; }
th, td { padding: 0.25rem 0.5rem; text-align: right; white-space: nowrap; vertical-align: baseline; }
th { color: var(--quiet); font-weight: 400; }
th:first-child { padding-left: 0; text-align: start; }
td:last-child, thead th:last-child { padding-right: 0; }
thead th { border-bottom: 1px solid var(--line); vertical-align: bottom; }
tbody th { color: var(--text); }
td.best { color: var(--accent); font-weight: 600; }
.interval { display: block; color: var(--quiet); font-size: 0.6875rem; font-weight: 400; }
table.texts td { max-width: 28rem; white-space: normal; overflow-wrap: anywhere; }
tr > :first-child { position: sticky; left: 0; background: var(--sheet); }
tr.differs > * { background: var(--accent-soft); }
@media print { body { padding: 0; } figure, .sheet { break-inside: avoid; } details { display: none; } }
)";

}  // namespace cli

#endif
