/** The page of charts: draws the series that the page names, zooms, and goes on with what arrives. */

import "./indicator.js";
import "./keys.js";
import { conversion } from "./conversions.js";
import { plotsIn } from "./plots.js";
import { fetchSeries } from "./history.js";
import { exact, span } from "./format.js";
import { live } from "./live.js";
import { now, units, zone } from "./page.js";
import { _ } from "./texts.js";

const LIVE_EVERY = 2000;
const CLOSEST = 10;
const MOVE = 0.25;

const chart = document.getElementById("chart");
const said = document.querySelector("[data-chart-said]");
const buttons = Object.fromEntries([...document.querySelectorAll("[data-chart]")].map((one) => [one.dataset.chart, one]));

document.querySelectorAll("[data-submits]").forEach((field) => field.addEventListener("change", () => field.form.submit()));
if (chart) begin();

/** A series as it is drawn: in the units of whoever looks. */
function seriesOf({ device, name, label, unit, every, decimals }, place) {
  const shown = conversion(unit, units);
  const declared = decimals === undefined ? null : Number(decimals);
  return { device, name, label, place, every: Number(every), unit: shown.unit, decimals: shown.decimals(declared), convert: shown.value };
}

function begin() {
  const all = [...document.querySelectorAll("[data-key]")].map(({ dataset }, place) => seriesOf(dataset, place));
  const plots = plotsIn(chart, all, { zone, zoom: (from, to) => go({ from, to }), back });
  const trail = [];
  let view = { from: Number(chart.dataset.from), to: Number(chart.dataset.to) };
  let following = chart.dataset.live !== undefined;
  let asked = 0;
  let due = 0;

  /** Asks for what is in view; what was there stays until the answer comes, and a late answer to an older view is none. */
  async function load() {
    const mine = ++asked;
    chart.setAttribute("aria-busy", "true");
    const answers = await Promise.all(all.map((series) => fetchSeries(series, view, chart.dataset.step, zone)));
    if (mine !== asked) return;
    chart.removeAttribute("aria-busy");
    plots.show(view, answers);
    say(answers);
  }

  function say(answers) {
    const problem = answers.find((answer) => answer.problem)?.problem;
    const step = answers.find((answer) => answer.t)?.step;
    const each = step === undefined ? "" : step ? _("Each point sums up %(length)s.", { length: span(step) }) : _("Each point is one reading.");
    const shown = _("%(from)s to %(to)s.", { from: exact(view.from, zone), to: exact(view.to, zone) });
    said.textContent = problem ?? `${shown} ${each}`;
  }

  function go(next, keep = true) {
    if (keep) trail.push(view);
    view = next;
    if (keep) follow(false);
    buttons.back.disabled = !trail.length;
    const address = new URL(location);
    address.searchParams.set("from", following ? `now-${Math.round(view.to - view.from)}s` : Math.round(view.from));
    address.searchParams.set("to", following ? "now" : Math.round(view.to));
    history.replaceState(null, "", address);
    load();
  }

  function back() {
    if (trail.length) go(trail.pop(), false);
  }

  function follow(on) {
    following = on;
    buttons.live.setAttribute("aria-pressed", String(on));
    if (on) {
      const length = view.to - view.from;
      go({ from: now() - length, to: now() }, false);
    }
  }

  function move(part) {
    const by = (view.to - view.from) * part;
    go({ from: view.from + by, to: view.to + by });
  }

  function scale(factor) {
    const middle = (view.from + view.to) / 2;
    const half = Math.max(CLOSEST / 2, ((view.to - view.from) / 2) * factor);
    go({ from: middle - half, to: middle + half });
  }

  const keys = {
    ArrowLeft: () => move(-MOVE), ArrowRight: () => move(MOVE), "+": () => scale(0.5), "=": () => scale(0.5),
    "-": () => scale(2), Escape: back,
  };
  chart.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  buttons.back.addEventListener("click", () => (trail.length ? back() : scale(2)));
  buttons.live.addEventListener("click", () => follow(!following));
  document.querySelector("[data-chart-buttons]").hidden = false;
  buttons.live.setAttribute("aria-pressed", String(following));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", load);

  /* New values move the view on, at most every other second, and only while somebody looks. */
  live.addEventListener("readings", ({ detail }) => {
    if (!following || document.hidden || Date.now() < due) return;
    if (!detail.some((reading) => all.some(({ device, name }) => device === reading.device && name === reading.series))) return;
    due = Date.now() + LIVE_EVERY;
    const length = view.to - view.from;
    view = { from: now() - length, to: now() };
    load();
  });
  load();
}
