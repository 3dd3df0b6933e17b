/**
 * Parts of the page that are rendered anew by the server when something about them has changed: elements with an id and
 * data-region. The page is fetched again as a document (in which no script runs), and what differs is taken over.
 *
 * A region with data-shape is replaced only where that differs: what is in it is kept live by other modules. In one with
 * data-keyed, children that have the same data-key and data-shape stay.
 */

const PAUSE = 1000;
const PATIENCE = 30_000;
let due = 0;
let last = -PAUSE;
let missed = false;

/** Has the regions rendered anew soon; several calls at the same time cause one request. */
export function refreshSoon() {
  if (due) return;
  due = setTimeout(refresh, Math.max(100, last + PAUSE - performance.now()));
}

async function refresh() {
  due = 0;
  last = performance.now();
  try {
    const { page, url } = await fetchPage("GET", location.href);
    if (new URL(url).pathname === location.pathname) takeOver(page);
  } catch {
    // The stream shows that the server is gone, and asks for the page once more when it is back.
  }
}

/** Asks for a page, following redirects: its document, final URL and status. */
export function fetchPage(method, url, fields = null) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url.split("#")[0]);
    request.responseType = "document";
    request.timeout = PATIENCE;
    request.onload = () => {
      const { response: page, responseURL, status } = request;
      if (page) resolve({ page, url: responseURL, status });
      else reject(new Error("the answer is no page"));
    };
    request.onerror = request.ontimeout = () => reject(new Error("the server did not answer"));
    request.send(fields);
  });
}

/** Takes the regions over from another rendering of this page. */
export function takeOver(page) {
  for (const region of document.querySelectorAll("[data-region]")) {
    const fresh = page.getElementById(region.id);
    if (!fresh) continue;
    if (isInUse(region)) {
      missed = true;
      continue;
    }
    if (!mergeKeyed(region, fresh)) replace(region, fresh);
    Object.assign(region.dataset, fresh.dataset);
  }
}

/** Somebody has a dialog or a panel open in it, or is typing: what they do comes first. */
function isInUse(region) {
  const active = document.activeElement;
  const typing = region.contains(active) && active.matches(":is(input, textarea):read-write, select");
  return typing || region.querySelector("dialog[open], :popover-open") !== null;
}

/** They are done. */
function catchUp() {
  if (!missed) return;
  missed = false;
  refreshSoon();
}

function replace(region, fresh) {
  if (isSame(region, fresh)) return;
  const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const open = [...region.querySelectorAll("details")].map((details) => details.open);
  region.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
  region.querySelectorAll("details").forEach((details, place) => { details.open ||= open[place] ?? false; });
  if (focused) region.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  region.dispatchEvent(new CustomEvent("regionchange", { bubbles: true }));
}

function isSame(region, fresh) {
  if (fresh.dataset.shape !== undefined) return region.dataset.shape === fresh.dataset.shape;
  return signature(region) === signature(fresh);
}

/** What a region says and leads to, without the times that tick in it. */
function signature(region) {
  const copy = region.cloneNode(true);
  copy.querySelectorAll("[data-ago], [data-countdown]").forEach((time) => {
    time.replaceChildren(time.dataset.ago ?? time.dataset.countdown);
  });
  const links = [...copy.querySelectorAll("[href]")].map((link) => link.getAttribute("href"));
  return `${copy.textContent.replace(/\s+/g, " ")}${links}`;
}

function mergeKeyed(region, fresh) {
  const list = region.querySelector(":scope > :has(> [data-key])");
  const wanted = fresh.querySelector(":scope > :has(> [data-key])");
  if (!("keyed" in region.dataset) || !list || !wanted) return false;
  const present = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const children = [...wanted.children].map((child) => {
    const old = present.get(child.dataset.key);
    if (old && old.dataset.shape === child.dataset.shape) return old;
    const added = document.importNode(child, true);
    added.classList.toggle("new", !old);
    return added;
  });
  if (children.length !== list.children.length || children.some((child, place) => child !== list.children[place])) {
    list.replaceChildren(...children);
    region.dispatchEvent(new CustomEvent("regionchange", { bubbles: true }));
  }
  return true;
}

document.addEventListener("focusout", catchUp);
document.addEventListener("close", catchUp, true);
document.addEventListener("toggle", catchUp, true);
