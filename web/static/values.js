/** Newest values: every element with data-device and data-series, with a number and a unit in it. */

import { exact, quantity } from "./format.js";
import { live } from "./live.js";
import { now, zone } from "./page.js";
import { allRows, rowsOf } from "./rows.js";
import { _ } from "./texts.js";

/* As in views.py: how many intervals a series may miss before its value is stale, and for how many seconds at least. */
const STALE_AFTER = 3;
const STALE_AT_LEAST = 10;
const TRENDS = { rising: _("rising"), falling: _("falling"), steady: _("steady") };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function show(row, { value, time, trend }) {
  const { text, unit } = quantity(value, row.dataset.unit, row.dataset.decimals === undefined ? null : Number(row.dataset.decimals));
  const number = row.querySelector(".number");
  if (number.textContent !== text) {
    number.textContent = text;
    if (!calm.matches) number.animate([{ color: "var(--flash)" }, {}], 900);
  }
  row.querySelector(".unit").textContent = unit;
  row.dataset.time = time;
  row.title = exact(time, zone);
  showTrend(row.querySelector(".trend"), trend);
  judge(row);
}

function showTrend(element, trend) {
  if (!element || element.dataset.trend === (trend ?? "")) return;
  element.dataset.trend = trend ?? "";
  const words = Object.assign(document.createElement("span"), { className: "hidden", textContent: TRENDS[trend] ?? "" });
  element.replaceChildren(words);
}

/** Marks a value that says little about now. */
function judge(row) {
  const { time, every, device } = row.dataset;
  const overdue = Number(every) > 0 && now() - Number(time) > Math.max(STALE_AFTER * Number(every), STALE_AT_LEAST);
  const gone = live.devices.get(device)?.state === "offline";
  row.classList.toggle("stale", time === undefined || overdue || gone);
}

function showDevice(device) {
  for (const series of device.series) {
    if (series.time === null) continue;
    rowsOf(device.name, series.name).forEach((row) => show(row, series));
  }
}

live.addEventListener("snapshot", ({ detail }) => detail.devices.forEach(showDevice));
live.addEventListener("device", ({ detail }) => showDevice(detail));
live.addEventListener("presence", ({ detail }) => rowsOf(detail.device).forEach(judge));
live.addEventListener("readings", ({ detail }) => {
  for (const reading of detail) rowsOf(reading.device, reading.series).forEach((row) => show(row, reading));
});
setInterval(() => {
  if (!live.paused && live.devices.size) allRows().forEach(judge);
}, 5000);
