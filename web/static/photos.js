/** Photos as they come: the newest page of them is live. */

import "./indicator.js";
import "./keys.js";
import { live } from "./live.js";
import { refreshSoon } from "./regions.js";

const query = new URLSearchParams(location.search);

live.addEventListener("file", ({ detail }) => {
  if (!query.has("before") && [null, "", detail.device].includes(query.get("device"))) refreshSoon();
});
live.addEventListener("snapshot", refreshSoon);
