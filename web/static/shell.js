/** Pages on which nothing is live but the bar. */

import "./indicator.js";
import "./keys.js";
