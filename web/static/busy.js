/** Shows that a request takes its time: a line on top of the page, 300 ms after a form was sent, until it is answered. */

import { _ } from "./texts.js";

const PATIENCE = 300;
const line = Object.assign(document.createElement("div"), { className: "busy", hidden: true });
line.setAttribute("role", "progressbar");
line.setAttribute("aria-label", _("Waiting for the server"));
let waiting = 0;

/** Begins to wait; returns the function that ends it. */
export function busy() {
  waiting += 1;
  setTimeout(() => { line.hidden = waiting === 0; }, PATIENCE);
  return () => {
    waiting -= 1;
    line.hidden = waiting === 0;
  };
}

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const done = busy();
  window.addEventListener("pageshow", done, { once: true });
});
document.body.append(line);
