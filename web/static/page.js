/** What this page says of itself: its build, the user's time zone, and the server's clock. */

const root = document.documentElement;

export const build = root.dataset.build;
export const zone = root.dataset.zone;

const ahead = Number(root.dataset.now) - Date.now() / 1000;

/** The server's time now, in Unix seconds: browsers' clocks may be wrong. */
export function now() {
  return Date.now() / 1000 + ahead;
}
