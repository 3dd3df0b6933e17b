/** Keeps "12 s ago" true: every element with data-ago, whose value is a time in Unix seconds. */

import { ago, exact } from "./format.js";
import { now, zone } from "./page.js";

/** Makes `element` tell of another time. */
export function setTime(element, time) {
  element.dataset.ago = time;
  element.dateTime = new Date(time * 1000).toISOString();
  element.title = exact(time, zone);
  tick(element);
}

function tick(element) {
  const text = ago(Number(element.dataset.ago), now());
  if (element.textContent !== text) element.textContent = text;
}

function tickAll() {
  if (!document.hidden) document.querySelectorAll("[data-ago]").forEach(tick);
}

setInterval(tickAll, 1000);
document.addEventListener("visibilitychange", tickAll);
