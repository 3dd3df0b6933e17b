/** SSH to one device: copy buttons, and the ports that are open with their countdowns. */

import "./copy.js";
import "./countdown.js";
import "./indicator.js";
import "./ports.js";
import "./presence.js";
