/** What this page says of itself: its build, how its user likes to see things, and the server's clock. */

const root = document.documentElement;

export const build = root.dataset.build;
export const zone = root.dataset.zone;
/** Whether clocks go up to 12, and the system of units: declared, metric or imperial. */
export const twelve = root.dataset.hours === "12";
export const units = root.dataset.units;

const ahead = Number(root.dataset.now) - Date.now() / 1000;

/** The server's time now, in Unix seconds: browsers' clocks may be wrong. */
export function now() {
  return Date.now() / 1000 + ahead;
}
