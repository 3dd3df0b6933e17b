/** Draws columns with uPlot: two units in one plot, others in further ones below it, with one cursor; states as strips. */

import { axisTime, exact, quantity } from "./format.js";
import { _ } from "./texts.js";

const HEIGHT = 320;
const LOWER = 200;

/** Pixels for an axis of values. A plot without one on the right leaves its place free where another has one: times stand below one another. */
const SIDE = 64;

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [], [8, 4], [2, 3], [10, 3, 2, 3]];

/** The plots of `all` series in `place`; show(view, answers) draws, zoom(from, to) is asked for by dragging, back() by a double click. */
export function plotsIn(place, all, { zone, zoom, back }) {
  let drawn = [];
  let latest = null;

  function show(view, answers) {
    latest = [view, answers];
    const kept = new Set(drawn.map((plot) => plot.shape));
    const groups = grouped(all, answers);
    if (groups.length === drawn.length && groups.every((group) => kept.has(shapeOf(group)))) {
      groups.forEach((group, index) => drawn[index].update(view, group));
    } else {
      drawn.forEach((plot) => plot.destroy());
      place.replaceChildren();
      const wide = groups.some(({ units }) => units.length > 1);
      drawn = groups.map((group, index) => made(group, view, index, wide));
    }
    if (!groups.length) place.replaceChildren(nothing(answers));
  }

  function made(group, view, index, wide) {
    return group.states ? strip(place, group, view, zone) : plot(place, group, view, { zone, zoom, back, wide, first: index === 0 });
  }

  new ResizeObserver(() => drawn.forEach((one) => one.resize())).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    drawn.forEach((one) => one.destroy());
    drawn = [];
    if (latest) show(...latest);
  });
  return { show };
}

/** Series with numbers by pairs of units, then each series of states by itself. */
function grouped(all, answers) {
  const shown = all.map((series, index) => ({ series, answer: answers[index] })).filter(({ answer }) => answer.t?.length);
  const states = shown.filter(({ answer }) => answer.values.some((value) => typeof value === "string"));
  const numbers = shown.filter((one) => !states.includes(one));
  const units = [...new Set(numbers.map(({ series }) => series.unit))];
  const groups = [];
  for (let at = 0; at < units.length; at += 2) {
    const pair = units.slice(at, at + 2);
    groups.push({ units: pair, members: numbers.filter(({ series }) => pair.includes(series.unit)) });
  }
  return [...groups, ...states.map((one) => ({ states: true, units: [], members: [one] }))];
}

function shapeOf({ states, members }) {
  return JSON.stringify([Boolean(states), members.map(({ series, answer }) => [series.place, answer.step > 0])]);
}

function nothing(answers) {
  const problem = answers.find((answer) => answer.problem)?.problem;
  const words = Object.assign(document.createElement("p"), { className: "empty", textContent: problem ?? _("No readings in this time.") });
  return words;
}

/** A colour of the style sheet as a canvas takes it, in light or in dark as the page is now. */
function resolved(place, colour) {
  const probe = document.createElement("span");
  probe.style.color = colour;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const colourOf = ({ place }) => `var(--series-${place + 1})`;

function plot(place, group, view, { zone, zoom, back, wide, first }) {
  const colour = (text) => resolved(place, text);
  const ink = colour("var(--muted)");
  const grid = { stroke: colour("var(--line)"), width: 1 };
  const table = tableOf(group);
  const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  const options = {
    width: place.clientWidth,
    height: first ? HEIGHT : LOWER,
    tzDate: (time) => uPlot.tzDate(new Date(time * 1000), zone),
    padding: [null, wide && group.units.length < 2 ? SIDE : null, null, null],
    legend: { live: true },
    cursor: { sync: { key: "charts" }, drag: { x: true, y: false, setScale: false, dist: 8 }, bind: { dblclick: () => () => back() } },
    scales: { x: { time: true, auto: false } },
    axes: [{ ...axis, values: (_, splits, __, ___, step) => splits.map((time) => axisTime(time, step, zone)) }, ...group.units.map((unit, side) => ({
      ...axis, scale: unit || "none", side: side ? 1 : 3, size: SIDE, grid: side ? { show: false } : grid,
      values: (_, splits) => splits.map((value) => quantity(value, unit).text + suffix(unit)),
    }))],
    series: [{ label: _("Time"), value: (plot, time) => (time === null ? "–" : exact(time, zone)) }, ...group.members.flatMap((member, index) => drawn(member, index, colour))],
    bands: group.members.flatMap((member) => bandOf(member, colour)),
    hooks: { setSelect: [(self) => {
      if (self.select.width < 8) return;
      zoom(self.posToVal(self.select.left, "x"), self.posToVal(self.select.left + self.select.width, "x"));
      self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    }] },
  };
  const made = new uPlot(options, table, place);
  made.setScale("x", { min: view.from, max: view.to });
  return {
    shape: shapeOf(group),
    update(next, renewed) {
      made.setData(tableOf(renewed), false);
      for (const unit of renewed.units) made.setScale(unit || "none", { min: null, max: null });
      made.setScale("x", { min: next.from, max: next.to });
    },
    resize: () => made.setSize({ width: place.clientWidth, height: options.height }),
    destroy: () => made.destroy(),
  };
}

function suffix(unit) {
  const { unit: shown } = quantity(0, unit);
  return shown && unit !== "B" && unit !== "B/s" ? ` ${shown}` : "";
}

/** A line, and where it sums readings up the invisible bounds of its band; lines of one plot differ in their dashes too. */
function drawn({ series, answer }, index, colour) {
  const scale = series.unit || "none";
  const stepped = answer.values.some((value) => typeof value === "boolean");
  const line = {
    label: series.label, scale, stroke: colour(colourOf(series)), width: 1.5, dash: DASHES[index], spanGaps: false,
    points: { show: answer.t.length < 3 ? true : undefined, size: 4 },
    value: (_, value) => (value === null || value === undefined ? "–" : words(stepped ? value > 0 : value, series)),
    paths: stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
  };
  const bound = { scale, stroke: "transparent", width: 0, points: { show: false }, label: "", class: "chart-bound" };
  return answer.step ? [line, { ...bound }, { ...bound }] : [line];
}

function words(value, series) {
  const { text, unit } = quantity(value, series.unit, series.decimals);
  return unit ? `${text} ${unit}` : text;
}

/** What lies between least and greatest, for a member whose columns have been counted. */
function bandOf(member, colour) {
  if (!member.answer.step) return [];
  const at = member.columnsFrom;
  return [{ series: [at + 2, at + 1], fill: colour(`color-mix(in srgb, ${colourOf(member.series)} 20%, transparent)`) }];
}

/** All columns over one row of times. */
function tableOf(group) {
  let at = 1;
  const tables = group.members.map((member) => {
    const { t, values, low, high, step } = member.answer;
    member.columnsFrom = at;
    at += step ? 3 : 1;
    const numbers = values.map((value) => (typeof value === "boolean" ? Number(value) : value));
    return step ? [t, numbers, high, low] : [t, numbers];
  });
  return tables.length > 1 ? uPlot.join(tables) : tables[0];
}

/** States over time: a bar of pieces, one for each time that a text stayed the same. */
function strip(place, group, view, zone) {
  const root = Object.assign(document.createElement("div"), { className: "chart-strip" });
  const title = Object.assign(document.createElement("p"), { className: "chart-strip-title" });
  const bar = Object.assign(document.createElement("div"), { className: "chart-strip-bar" });
  root.append(title, bar);
  place.append(root);
  function update(next, { members: [{ series, answer }] }) {
    title.textContent = series.label;
    const length = next.to - next.from;
    bar.replaceChildren(...pieces(answer, next.to).map(({ from, to, text }) => {
      const piece = Object.assign(document.createElement("span"), { textContent: text, title: `${text}, from ${exact(from, zone)} to ${exact(to, zone)}` });
      piece.style.insetInlineStart = `${((Math.max(from, next.from) - next.from) / length) * 100}%`;
      piece.style.inlineSize = `${((to - Math.max(from, next.from)) / length) * 100}%`;
      piece.dataset.shade = [...text].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 8;
      return piece;
    }));
  }
  update(view, group);
  return { shape: shapeOf(group), update, resize() {}, destroy: () => root.remove() };
}

function pieces({ t, values }, end) {
  const found = [];
  t.forEach((time, place) => {
    const text = values[place] === null ? null : String(values[place]);
    const before = found.at(-1);
    if (before && before.text === text) return;
    if (before) before.to = time;
    found.push({ from: time, to: end, text });
  });
  return found.filter(({ text }) => text !== null);
}
