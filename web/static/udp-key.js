/** The id and the key of a device over UDP: copied with a click. */

import "./copy.js";
import "./indicator.js";
