// The frame of the page: which panel is shown, in which language, light or dark.

import { el } from './dom.js';
import { icon } from './icons.js';
import { LANGUAGES, apply, language, onLanguage, speak, t } from './words.js';

const PANELS = ['call', 'chat', 'memory', 'recordings'];
const THEME = 'omni.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Build the header inside `root`. The panels are Gradio's columns #panel-call, #panel-chat, … */
export function mount(root) {
  const tabs = PANELS.map((name) =>
    el('button', {
      role: 'tab',
      id: `tab-${name}`,
      'aria-controls': `panel-${name}`,
      says: `nav.${name}`,
      onclick: () => show(name),
      onkeydown: (event) => move(event, name),
    }));
  const show = (name, { focus = false } = {}) => {
    document.body.dataset.panel = name;
    tabs.forEach((tab, i) => {
      const on = PANELS[i] === name;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on && focus) tab.focus();
      panel(PANELS[i])?.toggleAttribute('hidden', !on);
    });
    if (location.hash !== `#${name}`) history.replaceState(null, '', `#${name}`);
    document.dispatchEvent(new CustomEvent('omni:panel', { detail: name }));
  };
  const move = (event, name) => {
    const at = PANELS.indexOf(name);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: PANELS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(PANELS.at(to % PANELS.length), { focus: true });
  };

  root.append(
    el('a.skip', { href: '#main', says: 'nav.skip' }),
    el('div.brand', {}, mark(), el('span', {}, 'omni_agent')),
    el('div.tabs', { role: 'tablist', label: 'nav.label' }, ...tabs),
    el('div.tools', {}, languages(), themes()),
  );
  for (const name of PANELS) {
    const section = panel(name);
    section?.setAttribute('role', 'tabpanel');
    section?.setAttribute('aria-labelledby', `tab-${name}`);
  }
  onLanguage(() => {
    document.title = t('page.title');
    document.dispatchEvent(new CustomEvent('omni:language', { detail: language() }));
  });
  apply();
  const wanted = location.hash.slice(1);
  show(PANELS.includes(wanted) ? wanted : 'call');
  window.addEventListener('hashchange', () => {
    const name = location.hash.slice(1);
    if (PANELS.includes(name)) show(name);
  });
}

function panel(name) {
  return document.getElementById(`panel-${name}`);
}

/** The five shapes of the agent's states, as the sign of the house. */
function mark() {
  return el('span.mark', { 'aria-hidden': 'true' }, ...[0, 1, 2, 3].map(() => el('i')));
}

function languages() {
  const buttons = Object.entries(LANGUAGES).map(([id, name]) =>
    el('button', { lang: id, onclick: () => speak(id) }, name));
  const mark = (now) => {
    Object.keys(LANGUAGES).forEach((id, i) => buttons[i].setAttribute('aria-pressed', String(id === now)));
  };
  onLanguage(mark);
  return el('div.languages', { role: 'group', label: 'nav.language' }, ...buttons);
}

function themes() {
  const button = el('button.quiet', {
    label: 'nav.theme',
    hint: 'nav.theme',
    onclick: () => paint(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark', true),
  });
  const paint = (theme, chosen) => {
    document.documentElement.dataset.theme = theme;
    document.body.classList.toggle('dark', theme === 'dark'); // Gradio's own parts
    button.replaceChildren(icon(theme === 'dark' ? 'sun' : 'moon'));
    if (chosen) keep(theme);
  };
  paint(kept() ?? (dark.matches ? 'dark' : 'light'), false);
  dark.addEventListener('change', () => kept() ?? paint(dark.matches ? 'dark' : 'light', false));
  return button;
}

function kept() {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null; // a browser that keeps nothing follows the system
  }
}

function keep(theme) {
  try {
    localStorage.setItem(THEME, theme);
  } catch {
    // It holds until the page is closed.
  }
}
