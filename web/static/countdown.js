/** Countdowns: data-countdown holds when something ends. When it has, the page's regions are rendered anew. */

import { now } from "./page.js";
import { refreshSoon } from "./regions.js";
import { _ } from "./texts.js";

function tick() {
  for (const countdown of document.querySelectorAll("[data-countdown]")) {
    const left = Math.ceil(Number(countdown.dataset.countdown) - now());
    if (left < 0) {
      refreshSoon();
      continue;
    }
    const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
    const short = `${hours ? minutes : Math.floor(left / 60)}`.padStart(hours ? 2 : 1, "0");
    countdown.textContent = _("in %(length)s", { length: `${hours ? `${hours}:` : ""}${short}:${String(seconds).padStart(2, "0")}` });
  }
}

setInterval(tick, 1000);
tick();
