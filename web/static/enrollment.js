/** Waiting for a new device: the countdown of its token, and the page moves on when the device is here. */

import "./copy.js";
import "./countdown.js";
import "./indicator.js";
import { live } from "./live.js";
import { refreshSoon } from "./regions.js";

const waiting = document.querySelector("[data-enrollment]");

for (const event of ["device", "presence"]) {
  live.addEventListener(event, ({ detail }) => {
    if ((detail.name ?? detail.device) === waiting.dataset.enrollment) refreshSoon();
  });
}
live.addEventListener("snapshot", ({ detail }) => {
  if (detail.devices.some((device) => device.name === waiting.dataset.enrollment)) refreshSoon();
});
