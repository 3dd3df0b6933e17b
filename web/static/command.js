/** The page of one command: whether its device is there is live, and with it whether the command has to wait. */

import "./indicator.js";
import "./keys.js";
import "./presence.js";
