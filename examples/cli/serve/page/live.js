// The tab "Live": reads /metrics each second while it is shown, and draws what has changed between readings.

import { metrics } from "./api.js";
import { byId, duration, make } from "./dom.js";
import { Plot } from "./plot.js";

const nKept = 121;  // readings: two minutes
const nListed = 10; // in the table
const nSeconds = 10; // of the percentiles

/** A reading of /metrics: what the figures are made of. */
function read(text, time) {
  const reading = { time, requests: 0, errors: 0, classes: new Map(), gauges: {}, model: {} };
  for (const line of text.split("\n")) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) {
      continue;
    }
    const [, name, labelText = "", valueText] = parts;
    const value = Number(valueText);
    const labels = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, label]) => [key, label]));
    const isCounted = labels.route?.startsWith("/v1/");
    if (name === "gru4rec_requests_total" && isCounted) {
      reading.requests += value;
      reading.errors += Number(labels.status) >= 400 ? value : 0;
    } else if (name === "gru4rec_request_duration_seconds_bucket" && isCounted) {
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      reading.classes.set(bound, (reading.classes.get(bound) ?? 0) + value);
    } else if (name === "gru4rec_model_info") {
      reading.model = labels;
    } else if (labelText === "") {
      reading.gauges[name] = value;
    }
  }
  return reading;
}

/** The duration, in microseconds, below which a share of the requests between two readings lay; NaN: there were none. */
function percentile(from, to, share) {
  const bounds = [...to.classes.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => to.classes.get(bound) - (from.classes.get(bound) ?? 0));
  const wanted = share * (counts.at(-1) ?? 0);
  if (!(wanted > 0)) {
    return NaN;
  }
  const at = counts.findIndex((count) => count >= wanted);
  const [low, high] = [at > 0 ? bounds[at - 1] : 0, bounds[at]];
  const below = at > 0 ? counts[at - 1] : 0;
  // Nothing is known of those above the last bound but that they are.
  return 1e6 * (high === Infinity ? low : low + (high - low) * (wanted - below) / (counts[at] - below));
}

const readings = []; // the newest last
const figures = [];  // one for each reading: {time, rate, errors, sessions, p50, p90, p99}; null if there was no answer

function keep(figure) {
  figures.push(figure);
  figures.splice(0, figures.length - nKept);
}

function add(reading) {
  const last = readings.at(-1);
  if (last && (reading.requests < last.requests || reading.time - last.time > 5)) {
    readings.length = 0; // the server was started again, or nobody looked
    keep(null);
  }
  const previous = readings.at(-1);
  readings.push(reading);
  if (previous) {
    const seconds = reading.time - previous.time;
    const base = readings.find(({ time }) => reading.time - time <= nSeconds + 0.5);
    keep({
      time: new Date(),
      rate: (reading.requests - previous.requests) / seconds,
      errors: (reading.errors - previous.errors) / seconds,
      sessions: reading.gauges.gru4rec_sessions,
      p50: percentile(base, reading, 0.5),
      p90: percentile(base, reading, 0.9),
      p99: percentile(base, reading, 0.99),
    });
  }
  readings.splice(0, readings.length - nKept);
}

// What is shown

const perSecond = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} / s`;
const whole = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "not known");

const columns = [
  ["Time", ({ time }) => time.toLocaleTimeString("en-GB")],
  ["Requests", ({ rate }) => perSecond(rate)],
  ["Median", ({ p50 }) => duration(p50)],
  ["90 %", ({ p90 }) => duration(p90)],
  ["99 %", ({ p99 }) => duration(p99)],
  ["Live sessions", ({ sessions }) => whole(sessions)],
  ["Errors", ({ errors }) => perSecond(errors)],
];

let plots;

function prepare() {
  plots = [
    new Plot("Requests", perSecond, [["", ({ rate }) => rate]]),
    new Plot("Latency", duration, [["50 %", ({ p50 }) => p50], ["90 %", ({ p90 }) => p90], ["99 %", ({ p99 }) => p99]]),
    new Plot("Live sessions", whole, [["", ({ sessions }) => sessions]]),
    new Plot("Errors", perSecond, [["", ({ errors }) => errors]]),
  ];
  byId("plots").replaceChildren(...plots.map(({ figure }) => figure));
  const heads = columns.map(([title]) => {
    const head = make("th", "", title);
    head.scope = "col";
    return head;
  });
  byId("readings-head").replaceChildren(make("tr", "", ...heads));
}

function show() {
  for (const plot of plots) {
    plot.draw(figures, nKept);
  }
  const listed = figures.filter((figure) => figure).slice(-nListed).reverse();
  byId("readings").replaceChildren(...listed.map((figure) => make("tr", "", ...columns.map(([, text], i) => {
    const cell = make(i === 0 ? "th" : "td", "", text(figure));
    if (i === 0) {
      cell.scope = "row";
    }
    return cell;
  }))));
}

function age(seconds) {
  const units = [[86_400, "d"], [3600, "h"], [60, "min"]];
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function showFacts({ gauges, model }) {
  const facts = [
    ["Model", model.hash ? model.hash.slice(0, 12) : "without a hash"],
    ["Loaded", `${age(gauges.gru4rec_model_age_seconds)} ago`],
    ["Last reload", gauges.gru4rec_last_reload_failed > 0 ? "failed, what was served before still is" : "none has failed"],
    ["Items", whole(gauges.gru4rec_model_items)],
    ["May be recommended", whole(gauges.gru4rec_model_items_allowed)],
    ["Connections", whole(gauges.gru4rec_connections)],
    ["Memory", `${whole(gauges.process_resident_memory_bytes / 2 ** 20)} MiB`],
  ];
  byId("facts").replaceChildren(
    ...facts.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
}

let timer;
let showProblem;
let run = 0; // of the polls; a new one ends those before it

async function poll(mine) {
  const begin = performance.now();
  if (!document.hidden) {
    try {
      const reading = read(await metrics(), performance.now() / 1000);
      if (mine !== run) {
        return;
      }
      showProblem(null);
      add(reading);
      showFacts(reading);
      show();
    } catch (failure) {
      if (mine !== run) {
        return;
      }
      keep(null);
      show();
      showProblem(failure, () => startLive(showProblem));
      if (failure.status === 401) {
        return; // goes on with a token
      }
    }
  }
  timer = setTimeout(() => poll(mine), Math.max(100, 1000 - (performance.now() - begin)));
}

export function startLive(show) {
  stopLive();
  showProblem = show;
  if (!plots) {
    prepare();
  }
  poll(run);
}

export function stopLive() {
  clearTimeout(timer);
  ++run;
}
