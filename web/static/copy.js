/**
 * Copy buttons: data-copy names the field to copy. Plain HTTP has no clipboard API: there the field is selected, and the
 * browser's old command tried; where that fails too, the text stands selected, ready for the keyboard.
 */

import { _ } from "./texts.js";

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.focus();
    field.select();
    return document.execCommand("copy");
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const words = button.querySelector("span");
  const done = await copy(document.getElementById(button.dataset.copy));
  words.textContent = done ? _("Copied") : _("Press Ctrl+C");
  setTimeout(() => { words.textContent = _("Copy"); }, 3000);
});

function offer() {
  document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
}

document.addEventListener("regionchange", offer);
offer();
