/** Waiting for a new device: the countdown of its token, and the page moves on when the device is here. */

import "./copy.js";
import "./indicator.js";
import { live } from "./live.js";
import { now } from "./page.js";
import { refreshSoon } from "./regions.js";

const waiting = document.querySelector("[data-enrollment]");

function tick() {
  const countdown = document.querySelector("[data-countdown]");
  if (!countdown) return;
  const left = Math.ceil(Number(countdown.dataset.countdown) - now());
  if (left < 0) return refreshSoon();
  const [minutes, seconds] = [Math.floor(left / 60), left % 60];
  countdown.textContent = `in ${minutes}:${String(seconds).padStart(2, "0")}`;
}

for (const event of ["device", "presence"]) {
  live.addEventListener(event, ({ detail }) => {
    if ((detail.name ?? detail.device) === waiting.dataset.enrollment) refreshSoon();
  });
}
live.addEventListener("snapshot", ({ detail }) => {
  if (detail.devices.some((device) => device.name === waiting.dataset.enrollment)) refreshSoon();
});
setInterval(tick, 1000);
tick();
