/** The list of devices: values and states are live, and rows come and go with their devices. */

import "./indicator.js";
import "./keys.js";
import "./presence.js";
import "./values.js";
import { live } from "./live.js";
import { refreshSoon } from "./regions.js";

live.addEventListener("device", refreshSoon);
live.addEventListener("removed", refreshSoon);

document.getElementById("sort")?.addEventListener("change", (event) => event.target.form.requestSubmit());
