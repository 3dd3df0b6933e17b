/** The id and the key of a device: to be copied, and as a sketch to be saved as a file. */

import "./copy.js";
import "./download.js";
import "./indicator.js";
