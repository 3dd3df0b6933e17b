/** The page of one device: everything on it is live. */

import "./copy.js";
import "./countdown.js";
import "./indicator.js";
import "./keys.js";
import "./ports.js";
import "./presence.js";
import "./sparkline.js";
import "./values.js";
import "./video.js";
import { commandsOf } from "./commands.js";
import { live } from "./live.js";
import { logOf } from "./logs.js";
import { refreshSoon } from "./regions.js";

const BOOKS = 15_000;
const device = document.querySelector("[data-device-page]").dataset.devicePage;

commandsOf(device);
logOf(device);

live.addEventListener("device", ({ detail }) => {
  if (detail.name === device) refreshSoon();
});
live.addEventListener("file", ({ detail }) => {
  if (detail.device === device) refreshSoon();
});
live.addEventListener("presence", ({ detail }) => {
  if (detail.device === device) refreshSoon();
});
/* A snapshot begins the stream, or mends a break: what happened before it no later frame will tell. */
live.addEventListener("snapshot", refreshSoon);
live.addEventListener("removed", ({ detail }) => {
  if (detail.device === device) location.replace(detail.renamed ? `/devices/${detail.renamed}` : "/devices");
});

/* The counts of readings are in no frame of the stream: they are asked for from time to time, while somebody looks. */
setInterval(() => {
  if (live.state === "live" && !document.hidden) refreshSoon();
}, BOOKS);
