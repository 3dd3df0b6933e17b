/** Where on the page the values of a series are: elements with data-device and data-series. */

let index = null;

/** The elements of a series, or of all series of a device. */
export function rowsOf(device, series) {
  index ??= build();
  const rows = index.get(device);
  if (!rows) return [];
  return series === undefined ? [...rows.values()].flat() : rows.get(series) ?? [];
}

/** All of them. */
export function allRows() {
  index ??= build();
  return [...index.values()].flatMap((rows) => [...rows.values()].flat());
}

function build() {
  const found = new Map();
  for (const row of document.querySelectorAll("[data-series]")) {
    const { device, series } = row.dataset;
    if (!found.has(device)) found.set(device, new Map());
    const rows = found.get(device);
    rows.set(series, [...(rows.get(series) ?? []), row]);
  }
  return found;
}

document.addEventListener("regionchange", () => { index = null; });
