/** A screen that nobody signs in on: its token comes behind the # of the address, once, and is sent on as a form. */

const form = document.querySelector("[data-screen]");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = token;
  form.requestSubmit();
}
