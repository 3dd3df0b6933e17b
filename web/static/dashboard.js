/** The dashboard: values, states and sparklines are live, and cards come and go with their devices. */

import "./indicator.js";
import "./keys.js";
import "./presence.js";
import "./sparkline.js";
import "./values.js";
import { live } from "./live.js";
import { refreshSoon } from "./regions.js";

live.addEventListener("device", refreshSoon);
live.addEventListener("removed", refreshSoon);
live.addEventListener("file", refreshSoon);
live.addEventListener("snapshot", ({ detail }) => {
  const cards = [...document.querySelectorAll("[data-key]")].map((card) => card.dataset.key);
  const devices = detail.devices.map((device) => device.name);
  if (cards.some((name) => !devices.includes(name)) || cards.length < Math.min(devices.length, 60)) refreshSoon();
});
