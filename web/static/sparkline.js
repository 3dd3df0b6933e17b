/**
 * Sparklines: every element with data-spark within one that has data-device and data-series. They are drawn only once they
 * come into view, a few at a time, and go on with what arrives.
 */

import { live } from "./live.js";
import { now } from "./page.js";
import { rowsOf } from "./rows.js";
import { _ } from "./texts.js";

/** What a sparkline may span, from long to short: the first with enough points is taken, so that new devices have one too. */
const SPANS = [
  { seconds: 86400, step: 1800, words: _("The last 24 hours") },
  { seconds: 3600, step: 60, words: _("The last hour") },
  { seconds: 300, step: 5, words: _("The last 5 minutes") },
];
const ENOUGH = 8;
const AT_ONCE = 3;
const WIDTH = 100;
const HEIGHT = 24;
const SVG = "http://www.w3.org/2000/svg";

/* What is drawn in each element: null from when it is asked for, and for good where it cannot be had. */
const lines = new Map();
const queue = [];
let running = 0;

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || lines.has(target)) continue;
    lines.set(target, null);
    queue.push(target);
  }
  work();
}, { rootMargin: "100px" });

function watch() {
  document.querySelectorAll("[data-spark]").forEach((element) => observer.observe(element));
  for (const element of lines.keys()) if (!element.isConnected) lines.delete(element);
}

function work() {
  while (running < AT_ONCE && queue.length) {
    running += 1;
    load(queue.shift()).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function load(element) {
  const { device, series, time } = element.closest("[data-series]").dataset;
  if (time === undefined) return void lines.delete(element);
  let line = null;
  for (const span of SPANS) {
    const points = await fetchPoints(device, series, span);
    if (points === null) break;
    line = { span, points };
    if (points.length >= ENOUGH) break;
  }
  if (!line) return;
  lines.set(element, line);
  draw(element, line);
}

/** The means of the buckets of a span, as [time, value]; null where they cannot be had now. */
async function fetchPoints(device, series, { seconds, step }) {
  const query = new URLSearchParams({ device, series, from: `now-${seconds}s`, step });
  try {
    const response = await fetch(`/api/v1/readings?${query}`);
    if (!response.ok) return null;
    const { t, mean } = await response.json();
    return t.map((time, place) => [time, mean[place]]).filter(([, value]) => value !== null);
  } catch {
    return null;
  }
}

/** A new value: it becomes the last point, or moves it where both fall into one step; the first one begins the line. */
function extend(element, { value, time }) {
  if (typeof value === "string") return;
  const line = lines.get(element);
  if (line === undefined) {
    observer.unobserve(element);
    observer.observe(element);
  }
  if (!line) return;
  const { points, span } = line;
  const bucket = Math.floor(time / span.step) * span.step;
  if (points.at(-1)?.[0] === bucket) points.pop();
  points.push([bucket, Number(value)]);
  while (points.length && points[0][0] < now() - span.seconds) points.shift();
  draw(element, line);
}

function draw(element, { points, span }) {
  if (points.length < 2) return element.replaceChildren();
  const svg = element.firstElementChild ?? element.appendChild(blank());
  const [area, stroke] = svg.children;
  const path = coordinates(points).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  stroke.setAttribute("d", `M${path}`);
  area.setAttribute("d", `M0 ${HEIGHT}L${path}L${WIDTH} ${HEIGHT}Z`);
  element.title = span.words;
}

/** The points within the drawing: the first at its left edge, the last at its right, a flat line in its middle. */
function coordinates(points) {
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [start, end] = [points[0][0], points.at(-1)[0]];
  return points.map(([time, value]) => [
    ((time - start) / (end - start || 1)) * WIDTH,
    high === low ? HEIGHT / 2 : 2 + (1 - (value - low) / (high - low)) * (HEIGHT - 4),
  ]);
}

function blank() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["spark-area", "spark-line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
  }
  return svg;
}

live.addEventListener("readings", ({ detail }) => {
  for (const reading of detail) {
    for (const row of rowsOf(reading.device, reading.series)) {
      const element = row.querySelector("[data-spark]");
      if (element) extend(element, reading);
    }
  }
});
document.addEventListener("regionchange", watch);
watch();
