// The words of the page: one table for each language, in words/. It follows the browser's language
// until another one is chosen.

export const LANGUAGES = { en: 'English', zh: '中文' };

const KEPT = 'omni.language';
const tables = {};
const listeners = new Set();
let current = firstLanguage();

await load(current);

export function language() {
  return current;
}

/** The words of a key, with `{name}`s filled in; `{n}` chooses between "one" and "other". */
export function t(key, values = {}) {
  let words = tables[current][key] ?? key;
  if (typeof words === 'object') {
    words = words[new Intl.PluralRules(current).select(values.n)] ?? words.other;
  }
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

export function has(key) {
  return key in tables[current];
}

export async function speak(chosen) {
  await load(chosen);
  current = chosen;
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // A browser that keeps nothing starts in its own language again.
  }
  apply();
}

/** Called after every change of language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

export function apply() {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : current;
  for (const listener of listeners) listener(current);
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(current, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

function firstLanguage() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Nothing may be kept in this browser.
  }
  if (kept in LANGUAGES) return kept;
  const wanted = navigator.languages ?? [navigator.language];
  return wanted.map((tag) => tag.split('-')[0]).find((tag) => tag in LANGUAGES) ?? 'en';
}

async function load(name) {
  if (tables[name]) return;
  const response = await fetch(new URL(`words/${name}.json`, import.meta.url));
  if (!response.ok) throw new Error(`words/${name}.json: ${response.status}`);
  tables[name] = await response.json();
}
