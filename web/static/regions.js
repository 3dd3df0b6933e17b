/**
 * Parts of the page that are rendered anew by the server when something about them has changed: elements with an id and
 * data-region. The page is fetched again as a document (which no script of it survives), and what differs is taken over.
 */

const PAUSE = 1000;
let due = 0;
let last = 0;

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
    // The stream tells that the server is gone, and asks for the page once more when it is back.
  }
}

/** Asks for a page, following redirects: its document, final URL and status. */
export function fetchPage(method, url, fields = null) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url.split("#")[0]);
    request.responseType = "document";
    request.timeout = 30_000;
    request.onload = () => request.response
      ? resolve({ page: request.response, url: request.responseURL, status: request.status })
      : reject(new Error("the answer is no page"));
    request.onerror = request.ontimeout = () => reject(new Error("the server did not answer"));
    request.send(fields);
  });
}

/** Takes the regions over from another rendering of this page. */
export function takeOver(page) {
  for (const region of document.querySelectorAll("[data-region]")) {
    const fresh = page.getElementById(region.id);
    if (!fresh || inUse(region)) continue;
    if (!mergeKeyed(region, fresh)) replace(region, fresh);
    Object.assign(region.dataset, fresh.dataset);
  }
}

/** Somebody has a dialog open in it, or is typing: what they do comes first. */
function inUse(region) {
  const active = document.activeElement;
  return region.querySelector("dialog[open]") !== null || (region.contains(active) && active.matches("input, select, textarea"));
}

function replace(region, fresh) {
  if (isSame(region, fresh)) return;
  const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  region.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
  if (focused) region.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  region.dispatchEvent(new CustomEvent("regionchange", { bubbles: true }));
}

/** Whether nothing is new. A region with a data-shape is kept live by other modules, as long as its shape is the same. */
function isSame(region, fresh) {
  if (fresh.dataset.shape !== undefined) return region.dataset.shape === fresh.dataset.shape;
  return signature(region) === signature(fresh);
}

/** What a region says, without what other modules keep changing in it. */
function signature(region) {
  return `${region.textContent.replace(/\s+/g, " ")}${[...region.querySelectorAll("[href]")].map((link) => link.getAttribute("href"))}`;
}

/** Where children have keys, those that stay the same stay in the page: they are live, and have drawn their sparklines. */
function mergeKeyed(region, fresh) {
  const list = region.querySelector(":scope > :has(> [data-key])");
  const wanted = fresh.querySelector(":scope > :has(> [data-key])");
  if (!("keyed" in region.dataset) || !list || !wanted) return false;
  const present = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const children = [...wanted.children].map((child) => {
    const old = present.get(child.dataset.key);
    if (old?.dataset.shape === child.dataset.shape) return old;
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
