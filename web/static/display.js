/**
 * The wall display: its values are live, it keeps the screen awake where it may, and comes back by itself from whatever
 * happens in a night: nobody is there to click.
 */

import "./values.js";
import { setTime } from "./ago.js";
import { short } from "./format.js";
import { live } from "./live.js";
import { now, zone } from "./page.js";
import { refreshSoon } from "./regions.js";
import { rowsOf } from "./rows.js";
import { _ } from "./texts.js";

/* As in warmth.py: how warm it feels below so many degrees Celsius. */
const WARMTHS = [[0, "freezing"], [10, "cold"], [18, "cool"], [24, "mild"], [30, "warm"]];
const KELVIN = 273.15;

const STATES = {
  connecting: "", live: "", paused: "", reconnecting: "",
  offline: _("The server does not answer. These values are old."),
  out: _("This screen is not let in any more."),
};

const own = document.querySelector("[data-own-zone]");
const where = own ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone;

function warmth(value, unit) {
  if (typeof value !== "number" || !["Cel", "K"].includes(unit)) return "";
  const degrees = unit === "K" ? value - KELVIN : value;
  return WARMTHS.find(([below]) => degrees < below)?.[1] ?? "hot";
}

function show(tile, { value, time }) {
  tile.dataset.warmth = warmth(value, tile.dataset.unit);
  const foot = tile.querySelector("[data-tile-foot]");
  const ago = foot.querySelector("time") ?? first(foot);
  setTime(ago, time);
  foot.querySelector("[data-at]").textContent = short(time, now(), where);
}

/** The first value of a series has come. */
function first(foot) {
  const at = document.createElement("span");
  at.dataset.at = "";
  const ago = document.createElement("time");
  foot.replaceChildren(at, " · ", ago);
  return ago;
}

function showDevice(device) {
  for (const series of device.series) {
    if (series.time !== null) rowsOf(device.name, series.name).forEach((tile) => show(tile, series));
  }
}

/** Whether the browser keeps the screen on; it lets go whenever the page is hidden, and only secure pages may ask. */
async function stayAwake() {
  if (document.hidden || !navigator.wakeLock) return;
  await navigator.wakeLock.request("screen").catch(() => {});
}

live.addEventListener("readings", ({ detail }) => {
  for (const reading of detail) rowsOf(reading.device, reading.series).forEach((tile) => show(tile, reading));
});
live.addEventListener("device", ({ detail }) => {
  showDevice(detail);
  refreshSoon();
});
live.addEventListener("snapshot", ({ detail }) => {
  detail.devices.forEach(showDevice);
  refreshSoon();
});
live.addEventListener("removed", refreshSoon);
live.addEventListener("newer", () => location.reload());
live.addEventListener("state", () => {
  document.querySelector("[data-display-state]").textContent = STATES[live.state];
});
document.addEventListener("visibilitychange", stayAwake);
live.paused = false;
stayAwake();
