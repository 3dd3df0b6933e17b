/** The past of a series, as the API tells it. */

import { _ } from "./texts.js";

/**
 * The columns of a series in a view, or {problem} with what to say to a person. A null in `values` is a gap: where several
 * buckets, or several of the series' own intervals, are missing. `convert` makes each number what the reader's units have it.
 */
export async function fetchSeries({ device, name, every, convert }, { from, to }, step, zone) {
  const query = new URLSearchParams({ device, series: name, from, to, step, zone });
  try {
    const response = await fetch(`/api/v1/readings?${query}`);
    const answer = await response.json();
    if (!response.ok) return { problem: answer.error?.message ?? _("The server did not answer as it should.") };
    return withGaps(converted(answer, convert), every);
  } catch {
    return { problem: _("The server cannot be reached: what is shown may be old.") };
  }
}

function converted(answer, convert) {
  const columns = ["v", "mean", "min", "max", "last"].filter((name) => answer[name]);
  return { ...answer, ...Object.fromEntries(columns.map((name) => [name, answer[name].map(convert)])) };
}

const PATIENCE = 3;

/** The usual time between two points: the one in the middle. */
function usual(t) {
  const between = t.slice(1).map((time, place) => time - t[place]).sort((one, other) => one - other);
  return between[Math.floor(between.length / 2)] ?? 0;
}

function withGaps({ t, v, mean, min, max, last, count, step }, every) {
  const values = v ?? mean.map((value, place) => value ?? last[place]);
  const most = Math.max(step * 1.5, PATIENCE * Math.max(every, usual(t)));
  const columns = { t: [], values: [], low: [], high: [], count: count ?? null, step };
  t.forEach((time, place) => {
    if (place && time - t[place - 1] > most) put(columns, time - 0.001, null, null, null);
    put(columns, time, values[place], min?.[place] ?? null, max?.[place] ?? null);
  });
  return columns;
}

function put(columns, time, value, low, high) {
  columns.t.push(time);
  columns.values.push(value);
  columns.low.push(low);
  columns.high.push(high);
}
