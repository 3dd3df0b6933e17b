/**
 * The log of a device, or of all, as it grows: new lines at the foot, those that do not fit the filter hidden, the filter
 * itself live.
 */

import { exact, short } from "./format.js";
import { live } from "./live.js";
import { now, zone } from "./page.js";
import { _ } from "./texts.js";

/** The levels in rising order, and what they are called. */
const LEVELS = { "debug": _("debug"), "info": _("info"), "warning": _("warning"), "error": _("error") };
const RANKS = Object.keys(LEVELS);
/** Lines kept on the page: what one can scroll through. */
const MOST = 1000;

/** Makes the log on the page live: that of `device`, or of all without one. */
export function logOf(device = null) {
  const list = document.querySelector("[data-log]");
  const form = document.querySelector("[data-log-filter]");
  if (!list || !form) return;
  const filter = () => sift(list, form);
  form.addEventListener("input", filter);
  live.addEventListener("log", ({ detail }) => {
    if ((device && detail.device !== device) || isOld()) return;
    append(list, detail, device === null);
    filter();
  });
  list.scrollTop = list.scrollHeight;
}

/** A page of older lines is no place for new ones. */
function isOld() {
  return new URLSearchParams(location.search).has("before");
}

function append(list, line, named) {
  const key = `[data-device="${CSS.escape(line.device)}"]`;
  const last = named ? [...list.querySelectorAll(key)].at(-1) : list.lastElementChild;
  if (line.id <= Number(last?.dataset.id ?? 0)) return;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(element(line, named));
  while (list.children.length > MOST) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function element({ device, id, time, level, text }, named) {
  const row = document.createElement("li");
  row.className = "log-line";
  row.dataset.level = level;
  row.dataset.id = id;
  row.dataset.device = device;
  const at = Object.assign(document.createElement("time"), {
    dateTime: new Date(time * 1000).toISOString(), title: exact(time, zone), textContent: short(time, now(), zone),
  });
  const link = Object.assign(document.createElement("a"), { className: "log-device", href: `/devices/${device}#logs`, textContent: device });
  row.append(at, " ", ...(named ? [link, " "] : []), piece("log-level", LEVELS[level]), " ", piece("log-text", text));
  return row;
}

function piece(className, textContent) {
  return Object.assign(document.createElement("span"), { className, textContent });
}

function sift(list, form) {
  const least = RANKS.indexOf(form.level.value);
  const text = form.elements.text.value.toLowerCase();
  const device = form.elements.device?.value;
  let shown = 0;
  for (const row of list.children) {
    row.hidden = (device && row.dataset.device !== device) || RANKS.indexOf(row.dataset.level) < least || !row.lastElementChild.textContent.toLowerCase().includes(text);
    shown += row.hidden ? 0 : 1;
  }
  list.hidden = shown === 0;
  document.querySelector("[data-log-empty]").hidden = shown > 0;
}
