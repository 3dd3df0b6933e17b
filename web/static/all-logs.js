/** The logs of all devices, as they grow. */

import "./indicator.js";
import "./keys.js";
import { logOf } from "./logs.js";

logOf();
