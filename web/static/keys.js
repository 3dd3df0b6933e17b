/** The key / leads to the search field, or to the page that has one. */

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  event.preventDefault();
  const field = document.querySelector("[aria-keyshortcuts='/']");
  if (field) field.focus();
  else location.assign("/devices#q");
});

if (location.hash === "#q") document.getElementById("q")?.focus();
