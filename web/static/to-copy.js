/** What is shown to be copied: with a click. */

import "./copy.js";
import "./indicator.js";
