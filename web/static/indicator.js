/** The live indicator in the bar: what it says, what it offers, and when the page asks to be reloaded. */

import { live } from "./live.js";
import { _ } from "./texts.js";

const WORDS = {
  connecting: [_("Connecting"), _("Waiting for the server’s first word.")],
  live: [_("Live"), _("Values on this page change as they arrive.")],
  paused: [_("Paused"), _("This page stands still until you go on.")],
  reconnecting: [_("Reconnecting"), _("The connection to the server broke. This page comes back by itself.")],
  offline: [_("Offline"), _("The server has not answered for a while: values are old. This page comes back by itself.")],
  out: [_("Signed out"), _("Your session has ended. Sign in again to go on.")],
};

const indicator = document.querySelector("[data-live]");
const pause = document.querySelector("[data-live-pause]");

function show() {
  const [word, text] = WORDS[live.state];
  indicator.dataset.live = live.state;
  indicator.hidden = false;
  indicator.querySelector("[data-live-word]").textContent = word;
  document.querySelector("[data-live-text]").textContent = text;
  pause.textContent = live.paused ? _("Go on") : _("Pause live updates");
  pause.setAttribute("aria-pressed", String(live.paused));
  if (live.state === "out") {
    const back = encodeURIComponent(location.pathname + location.search);
    notify(_("Your session has ended."), _("Sign in"), () => location.assign(`/sign-in?next=${back}`));
  }
}

/** Says something at the foot of the page, with one thing to do about it. */
function notify(text, action, act) {
  const notice = document.querySelector("[data-live-notice]");
  const button = Object.assign(document.createElement("button"), { className: "button", type: "button", textContent: action });
  button.addEventListener("click", act);
  notice.hidden = false;
  notice.replaceChildren(text, button);
}

if (indicator) {
  live.addEventListener("state", show);
  live.addEventListener("newer", () => {
    notify(_("The server was updated. Reload to go on with the new pages."), _("Reload"), () => location.reload());
  });
  pause.addEventListener("click", () => {
    live.paused = !live.paused;
    show();
  });
  show();
}
