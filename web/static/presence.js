/** Who is online: states, reasons, when somebody was seen, and how many there are of each state. */

import { setTime } from "./ago.js";
import { live } from "./live.js";
import { _ } from "./texts.js";

const STATES = { online: _("online"), late: _("late"), offline: _("offline") };

function each(attribute, device, change) {
  document.querySelectorAll(`[data-${attribute}="${CSS.escape(device)}"]`).forEach(change);
}

function show({ name, state, reason, last_seen: seen }) {
  each("presence", name, (element) => {
    element.dataset.state = seen === null ? "new" : state;
    element.textContent = seen === null ? _("never connected") : STATES[state];
  });
  each("reason", name, (element) => { element.textContent = sentence(translated(reason)); });
  each("when-offline", name, (element) => { element.hidden = element.disabled = state !== "offline"; });
  showSeen(name, seen);
}

function showSeen(name, seen) {
  if (seen === null) return;
  each("seen", name, (element) => {
    const time = element.querySelector("time") ?? firstTime(element);
    if (seen > Number(time.dataset.ago ?? 0)) setTime(time, seen);
  });
}

/** A device that was never seen has come. */
function firstTime(element) {
  const time = document.createElement("time");
  const [before, after] = _("seen %(when)s").split("%(when)s");
  element.replaceChildren(before, time, after);
  return time;
}

/** As in phrases.py: the center speaks English, as it does not know who reads. */
function translated(reason) {
  const silent = /^no readings for (.+), expected every (.+)$/.exec(reason);
  if (reason === "it has never been here") return _("it has never been here");
  if (!silent) return reason;
  return _("no readings for %(silence)s, expected every %(every)s", { silence: days(silent[1]), every: days(silent[2]) });
}

function days(length) {
  const [, count] = /^(\d+) days$/.exec(length) ?? [];
  return count ? _("%(count)s days", { count }) : length;
}

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?:]$/.test(text) ? "" : "."}` : "";
}

function count() {
  const found = { all: live.devices.size, online: 0, late: 0, offline: 0 };
  for (const device of live.devices.values()) found[device.state] += 1;
  for (const element of document.querySelectorAll("[data-count]")) {
    const text = String(found[element.dataset.count]);
    if (element.textContent === text) continue;
    element.textContent = text;
    element.closest(".strip-item")?.classList.toggle("none", text === "0");
  }
}

live.addEventListener("snapshot", ({ detail }) => {
  detail.devices.forEach(show);
  count();
});
live.addEventListener("device", ({ detail }) => {
  show(detail);
  count();
});
live.addEventListener("removed", count);
live.addEventListener("presence", ({ detail }) => {
  show({ ...detail, name: detail.device });
  count();
});
live.addEventListener("readings", ({ detail }) => {
  const newest = new Map();
  for (const { device, time } of detail) newest.set(device, Math.max(time, newest.get(device) ?? 0));
  newest.forEach((time, device) => showSeen(device, time));
});
