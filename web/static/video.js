/** Live video: the link becomes a button that starts and stops it; while nobody sees the page it rests. */

import { _ } from "./texts.js";

function place() {
  return document.querySelector("[data-video]");
}

function upgrade() {
  const toggle = document.querySelector("[data-video-toggle]");
  toggle?.setAttribute("role", "button");
  toggle?.setAttribute("aria-pressed", "false");
}

function start() {
  const picture = document.createElement("img");
  picture.alt = _("Live video of %(name)s", { name: place().dataset.video });
  picture.addEventListener("error", () => explain(picture));
  place().replaceChildren(picture);
  play(picture);
  show(true);
  say("");
}

function play(picture) {
  picture.src = `/api/v1/devices/${place().dataset.video}/video`;
}

function stop() {
  const picture = place()?.querySelector("img");
  if (!picture) return;
  rest(picture);
  picture.remove();
  show(false);
}

/** An image that loses its source lets go of the connection. */
function rest(picture) {
  picture.removeAttribute("src");
}

function show(on) {
  const toggle = document.querySelector("[data-video-toggle]");
  place().hidden = !on;
  toggle.textContent = on ? _("Stop the video") : _("Show live video");
  toggle.setAttribute("aria-pressed", String(on));
}

function say(words) {
  const line = document.querySelector("[data-video-problem]");
  line.hidden = !words;
  line.textContent = words;
}

/** It did not come, or has ended: an image does not say why, so the server is asked once more. */
async function explain(picture) {
  const { src } = picture;
  stop();
  const asking = new AbortController();
  try {
    const answer = await fetch(src, { signal: asking.signal, cache: "no-store" });
    const problem = answer.ok ? null : (await answer.json()).error.message;
    say(problem ? `${problem[0].toUpperCase()}${problem.slice(1)}.` : _("The video has ended."));
  } catch {
    say(_("The server did not answer."));
  } finally {
    asking.abort();
  }
}

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-video-toggle]");
  if (!toggle || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (place().hidden) start();
  else stop();
});
document.addEventListener("visibilitychange", () => {
  const picture = place()?.querySelector("img");
  if (!picture) return;
  if (document.hidden) rest(picture);
  else play(picture);
});
document.addEventListener("regionchange", upgrade);
upgrade();
