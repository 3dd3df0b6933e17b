/**
 * Values and times as people write them: the same as units.py and times.py on the server, digit by digit.
 * tests/web/pages/formats.json holds both to one result. Without more arguments it is as the user of the page likes it.
 */

import { conversion } from "./conversions.js";
import { twelve, units, zone as own } from "./page.js";
import { _ } from "./texts.js";

const UNITS = {
  "Cel": "°C", "degF": "°F", "%RH": "%", "%EL": "%", "/100": "%", "/1000": "‰", "Ohm": "Ω", "deg": "°", "lat": "°", "lon": "°",
  "l": "L", "l/s": "L/s", "m2": "m²", "m3": "m³", "m3/s": "m³/s", "m/s2": "m/s²", "W/m2": "W/m²", "cd/m2": "cd/m²",
  "ft2": "ft²", "ft3": "ft³", "ft3/s": "ft³/s", "kg/m3": "kg/m³", "ug/m3": "µg/m³", "1/s": _("per s"), "1/min": _("per min"), "beat/min": _("bpm"), "beats": _("beats"),
  "count": "", "/": "",
};
const BYTES = { "B": "", "B/s": "/s" };
const PREFIXES = ["B", "kB", "MB", "GB", "TB", "PB"];
const COUNTED = ["", "count", "/"];
const LARGE = 1e12;
const SMALL = 1e-3;
const LONG = 120;
const MINUS = "\u2212";
const THIN_SPACE = "\u202f";
/** What stands before the decimals where the page's language is spoken. */
const POINT = _(".");
const MONTHS = [
  _("Jan"), _("Feb"), _("Mar"), _("Apr"), _("May"), _("Jun"), _("Jul"), _("Aug"), _("Sep"), _("Oct"), _("Nov"), _("Dec"),
];

/** A value as {text, unit}. Without decimals a number has three significant digits, and a count none behind the point. */
export function quantity(value, unit = "", decimals = null, system = units) {
  if (value === null || value === undefined) return { text: "–", unit: "" };
  if (typeof value === "boolean") return { text: value ? _("on") : _("off"), unit: "" };
  if (typeof value === "string") return { text: value, unit: "" };
  const other = conversion(unit, system);
  return written(other.value(value), other.unit, other.decimals(decimals));
}

function written(value, unit, decimals) {
  if (unit in BYTES) return bytes(value, BYTES[unit]);
  if (unit === "s" && !decimals && Math.abs(value) >= LONG && Math.abs(value) < LARGE) {
    return { text: (value < 0 ? MINUS : "") + span(Math.abs(value)), unit: "" };
  }
  const counted = decimals === null && COUNTED.includes(unit) && Number.isInteger(value) && Math.abs(value) < LARGE;
  return { text: number(value, counted ? 0 : decimals), unit: UNITS[unit] ?? unit };
}

/** A number with so many decimals, or with three significant digits. */
export function number(value, decimals = null) {
  const size = Math.abs(value);
  if (size >= LARGE || (decimals === null && size > 0 && size < SMALL)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${mantissa}e${Number(exponent)}`.replaceAll("-", MINUS).replace(".", POINT);
  }
  return grouped(value.toFixed(decimals ?? places(value)));
}

/** A length of time in its two largest units: 45 s, 2 min 5 s, 3 d 4 h. */
export function span(seconds) {
  let left = Math.floor(seconds);
  const parts = [];
  for (const [name, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(left / size);
    left %= size;
    if (count || parts.length) parts.push([count, name]);
    if (parts.length === 2) break;
  }
  return parts.filter(([count]) => count).map(([count, name]) => `${count} ${name}`).join(" ") || "0 s";
}

/** A length of time in its largest unit: 12 s, 3 min, 2 h, 5 d. */
export function coarse(seconds) {
  if (seconds < 60) return span(seconds);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** How long before now, or in how long: now, 12 s ago, in 3 min. */
export function ago(time, now) {
  const passed = now - time;
  if (Math.abs(passed) < 5) return _("now");
  return passed > 0 ? _("%(length)s ago", { length: coarse(passed) }) : _("in %(length)s", { length: coarse(-passed) });
}

/** To the second, in the user's zone: 22 Nov 2026, 14:03:22. */
export function exact(time, zone = own, twelveHours = twelve) {
  const at = parts(time, zone);
  return `${dayOf(at)} ${at.year}, ${clock(at, twelveHours)}`;
}

/** The time of day, and the day where it is another than today. */
export function short(time, now, zone = own, twelveHours = twelve) {
  const at = parts(time, zone);
  const today = parts(now, zone);
  if (at.day === today.day && at.month === today.month && at.year === today.year) return clock(at, twelveHours);
  return `${dayOf(at)}${at.year === today.year ? "" : ` ${at.year}`}, ${clock(at, twelveHours)}`;
}

/** What stands at a line of a chart's time axis whose lines are `step` seconds apart: 14:30, at midnight 22 Nov. */
export function axisTime(time, step, zone = own, twelveHours = twelve) {
  const at = parts(time, zone);
  const day = dayOf(at);
  if (step >= 28 * 86400) return `${MONTHS[at.month - 1]} ${at.year}`;
  if (step >= 86400) return day;
  if (at.hour + at.minute + at.second === 0) return day;
  return clock(at, twelveHours, step < 60);
}

/** The day without the year: 22 Nov. */
function dayOf(at) {
  return _("%(day)s %(month)s", { day: at.day, month: MONTHS[at.month - 1] });
}

/** The time of day: 14:03:22, or 2:03:22 pm. */
function clock({ hour, minute, second }, twelveHours, seconds = true) {
  const rest = [minute, ...(seconds ? [second] : [])].map((count) => `:${two(count)}`).join("");
  if (!twelveHours) return two(hour) + rest;
  return `${(hour + 11) % 12 + 1}${rest}${THIN_SPACE}${hour < 12 ? "am" : "pm"}`;
}

const two = (count) => String(count).padStart(2, "0");

const calendars = new Map();

function parts(time, zone) {
  if (!calendars.has(zone)) {
    calendars.set(zone, new Intl.DateTimeFormat("en-GB-u-ca-iso8601-nu-latn", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    }));
  }
  return Object.fromEntries(calendars.get(zone).formatToParts(time * 1000).map(({ type, value }) => [type, Number(value)]));
}

function places(value) {
  return value === 0 ? 0 : Math.max(0, 2 - Number(value.toExponential(2).split("e")[1]));
}

function bytes(value, behind) {
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < PREFIXES.length - 1) {
    value /= 1000;
    step += 1;
  }
  const whole = step === 0 && Number.isInteger(value);
  return { text: number(value, whole ? 0 : null), unit: PREFIXES[step] + behind };
}

function grouped(digits) {
  const negative = digits.startsWith("-") && /[1-9]/.test(digits);
  let [whole, rest] = digits.replace("-", "").split(".");
  if (whole.length > 4) whole = whole.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
  return (negative ? MINUS : "") + whole + (rest === undefined ? "" : POINT + rest);
}
