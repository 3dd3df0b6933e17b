/**
 * Texts in the page's language. English stands in the code, marked by _() so that tests/translations.py finds it; other
 * languages come from static/locale. Where that cannot be had the page stays live, in English.
 */

import { build } from "./page.js";

const language = document.documentElement.lang;
const PATIENCE = 5000;
const texts = language === "en" ? {} : await load().catch(() => ({}));

async function load() {
  const answer = await fetch(`/static/${build}/locale/${language}.json`, { signal: AbortSignal.timeout(PATIENCE) });
  return answer.json();
}

/** The text in the reader's language, with `values` in the places of its %(name)s. */
export function _(text, values = {}) {
  return (texts[text] ?? text).replace(/%\((\w+)\)s/g, (place, name) => values[name] ?? place);
}
