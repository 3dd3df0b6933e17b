/**
 * Commands in dialogs: a link with data-opens shows the dialog of that id instead of the page that it leads to. The form in
 * it is sent to that page all the same, which answers with what was wrong, or leads back to the device.
 */

import { busy } from "./busy.js";
import { live } from "./live.js";
import { fetchPage, refreshSoon, takeOver } from "./regions.js";
import { _ } from "./texts.js";

const STATES = {
  queued: _("queued"), sent: _("sent"), received: _("received"), done: _("done"), failed: _("failed"),
  expired: _("expired"), cancelled: _("cancelled"),
};

/** Makes the commands on the page of `device` live. */
export function commandsOf(device) {
  document.addEventListener("click", open);
  document.addEventListener("click", close);
  document.addEventListener("submit", send);
  document.addEventListener("regionchange", upgrade);
  live.addEventListener("command", ({ detail }) => {
    if (detail.device !== device) return;
    refreshSoon();
    announce(`${detail.name}: ${STATES[detail.state]}`);
  });
  upgrade();
}

/** Says what became of a command to those who listen to the page. */
function announce(words) {
  document.querySelector("[data-announce]").textContent = words;
}

/** With scripts these links act as buttons, so they say so, and take the space bar. */
function upgrade() {
  for (const link of document.querySelectorAll("[data-opens]")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-haspopup", "dialog");
    link.onkeydown = (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    };
  }
}

function open(event) {
  const link = event.target.closest("[data-opens]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  document.getElementById(link.dataset.opens).showModal();
}

function close(event) {
  const dialog = event.target.closest("[data-closes]")?.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  dialog.close();
}

async function send(event) {
  const dialog = event.target.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  const button = event.submitter;
  const done = busy();
  button.disabled = true;
  try {
    const answer = await fetchPage("POST", event.target.action, new URLSearchParams(new FormData(event.target)));
    if (answer.status === 200) finish(dialog, answer.page);
    else show(dialog, answer.page);
  } catch {
    complain(dialog, _("The server did not answer. Look at the list of commands before you send it again."));
  } finally {
    button.disabled = false;
    done();
  }
}

/** It was sent: the list now has it, at its top. */
function finish(dialog, page) {
  dialog.close();
  const fresh = page.getElementById(dialog.id);
  if (fresh) fill(dialog, fresh.querySelector(".dialog-body"));
  takeOver(page);
  refreshSoon();
}

/** It was not: the answer is the command's page, with the same form, and what is wrong with it. */
function show(dialog, page) {
  const form = page.querySelector(`#${CSS.escape(dialog.id)} .dialog-body`);
  if (!form) return complain(dialog, page.querySelector("main")?.textContent.trim() || _("The server refused the command."));
  fill(dialog, form);
  dialog.querySelector("[aria-invalid], .actions [type=submit]").focus();
}

function fill(dialog, form) {
  const body = dialog.querySelector(".dialog-body");
  body.replaceChildren(...[...form.childNodes].map((node) => document.importNode(node, true)));
}

function complain(dialog, words) {
  const notice = Object.assign(document.createElement("p"), { className: "notice notice-bad", textContent: words });
  notice.setAttribute("role", "alert");
  const body = dialog.querySelector(".dialog-body");
  body.querySelector(":scope > .notice")?.remove();
  body.prepend(notice);
}
