/** The form that opens a port to a device: says that the device is being asked, which takes a moment. */

document.addEventListener("submit", ({ target }) => {
  if (!target.matches("[data-opens-port]")) return;
  const button = target.querySelector("[type=submit]");
  const asking = target.parentElement.querySelector("[data-asking]");
  button.disabled = true;
  asking.hidden = false;
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    asking.hidden = true;
  }, { once: true });
});
