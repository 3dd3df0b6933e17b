/** The log of a device as it grows: new lines at the foot, those that do not fit the filter hidden, the filter itself live. */

import { exact, short } from "./format.js";
import { live } from "./live.js";
import { now, zone } from "./page.js";

const LEVELS = ["debug", "info", "warning", "error"];
/** Lines kept on the page: what one can scroll through. */
const MOST = 1000;

/** Makes the log on the page of `device` live. */
export function logOf(device) {
  const list = document.querySelector("[data-log]");
  const form = document.querySelector("[data-log-filter]");
  if (!list || !form) return;
  const filter = () => sift(list, form);
  form.addEventListener("input", filter);
  live.addEventListener("log", ({ detail }) => {
    if (detail.device !== device || isOld()) return;
    append(list, detail);
    filter();
  });
  list.scrollTop = list.scrollHeight;
}

/** A page of older lines is no place for new ones. */
function isOld() {
  return new URLSearchParams(location.search).has("before");
}

function append(list, line) {
  const last = Number(list.lastElementChild?.dataset.id ?? 0);
  if (line.id <= last) return;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(element(line));
  while (list.children.length > MOST) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function element({ id, time, level, text }) {
  const row = document.createElement("li");
  row.className = "log-line";
  row.dataset.level = level;
  row.dataset.id = id;
  const at = Object.assign(document.createElement("time"), {
    dateTime: new Date(time * 1000).toISOString(), title: exact(time, zone), textContent: short(time, now(), zone),
  });
  row.append(at, " ", piece("log-level", level), " ", piece("log-text", text));
  return row;
}

function piece(className, textContent) {
  return Object.assign(document.createElement("span"), { className, textContent });
}

function sift(list, form) {
  const least = LEVELS.indexOf(form.level.value);
  const text = form.elements.text.value.toLowerCase();
  let shown = 0;
  for (const row of list.children) {
    row.hidden = LEVELS.indexOf(row.dataset.level) < least || !row.lastElementChild.textContent.toLowerCase().includes(text);
    shown += row.hidden ? 0 : 1;
  }
  list.hidden = shown === 0;
  document.querySelector("[data-log-empty]").hidden = shown > 0;
}
