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
const notice = document.querySelector("[data-live-notice]");

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
  } else if (live.state === "offline" && location.protocol === "https:") {
    // A browser does not tell pages that it distrusts a certificate, and asks people only about what they open.
    notify(_("The server does not answer, or has a new certificate: then your browser asks about it in a new tab."), _("Open a tab"), () => {
      window.open(location.href, "_blank", "noopener");
    });
    notice.dataset.offline = "";
  } else if (live.state === "live" && "offline" in notice.dataset) {
    notice.hidden = true;
  }
}

/** Says something at the foot of the page, with one thing to do about it. */
function notify(text, action, act) {
  const button = Object.assign(document.createElement("button"), { className: "button", type: "button", textContent: action });
  button.addEventListener("click", act);
  notice.hidden = false;
  delete notice.dataset.offline;
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
