// A small plot of lines over the last two minutes. The table below says the same to those who do not see it.

import { make, silent } from "./dom.js";

const svgSpace = "http://www.w3.org/2000/svg";
const height = 116;
const margin = { top: 8, right: 4, bottom: 20, left: 58 };

function makeSvg(tag, attributes, text = "") {
  const element = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.textContent = text;
  return element;
}

/** The least of 1, 2, 5, 10, 20, ... that is not below a value. */
function roundedUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9));
}

export class Plot {
  /**
   * @param format  of a value, as text
   * @param lines   [[name, value of a figure], ...]; values that are not finite are gaps
   */
  constructor(title, format, lines) {
    this.format = format;
    this.lines = lines;
    this.top = 0;
    this.value = make("span", "value");
    this.svg = makeSvg("svg", { height, "aria-hidden": "true", focusable: "false" });
    this.figure = make("figure", "plot", make("figcaption", "", make("span", "", title), this.value), this.svg);
    if (lines.length > 1) {
      const keys = lines.map(([name], i) => {
        const sample = makeSvg("svg", { width: 20, height: 8, "aria-hidden": "true" });
        sample.append(makeSvg("line", { x1: 0, x2: 20, y1: 4, y2: 4, class: `line line${i}` }));
        return make("span", "", sample, ` ${name}`);
      });
      this.figure.append(silent(make("p", "keys", ...keys)));
    }
  }

  draw(figures, nKept) {
    const width = Math.max(200, this.figure.clientWidth);
    const bottom = height - margin.bottom;
    const values = figures.filter((figure) => figure).flatMap((figure) => this.lines.map(([, of]) => of(figure)));
    this.scale(Math.max(0, ...values.filter(Number.isFinite)));
    const x = (i) => margin.left + (width - margin.left - margin.right) * (nKept - figures.length + i) / (nKept - 1);
    const y = (value) => bottom - (bottom - margin.top) * value / this.top;

    const parts = [];
    for (const value of [0, this.top]) {
      parts.push(makeSvg("line", { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value), class: "grid" }));
      parts.push(makeSvg("text", { x: margin.left - 6, y: y(value) + 4, class: "axis", "text-anchor": "end" },
        value === 0 ? "0" : this.format(value)));
    }
    parts.push(makeSvg("text", { x: margin.left, y: height - 4, class: "axis" }, "2 min ago"));
    parts.push(makeSvg("text", { x: width - margin.right, y: height - 4, class: "axis", "text-anchor": "end" }, "now"));
    this.lines.forEach(([, of], i) => {
      const path = pathOf(figures.map((figure) => (figure ? of(figure) : NaN)), x, y);
      parts.push(makeSvg("path", { d: path, class: `line line${i}` }));
    });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", width);
    this.svg.replaceChildren(...parts);
    const last = figures.at(-1);
    this.value.textContent = last ? this.lines.map(([, of]) => this.format(of(last))).join(" · ") : "";
  }

  /** The top of the plot rises at once, and falls only where most of it would be empty. */
  scale(highest) {
    const wanted = highest > 0 ? roundedUp(highest) : 1;
    if (wanted > this.top || wanted * 2 < this.top) {
      this.top = wanted;
    }
  }
}

/** A line through the values that are there; one that stands alone is a dot. */
function pathOf(values, x, y) {
  let path = "";
  let pen = false;
  values.forEach((value, i) => {
    if (Number.isFinite(value)) {
      path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      path += !pen && !Number.isFinite(values[i + 1]) ? "h0.1" : "";
    }
    pen = Number.isFinite(value);
  });
  return path;
}
