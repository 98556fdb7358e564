// What is remembered: by kind, newest first or by a question, and a button to forget each line.

import { el, say } from './dom.js';
import { icon } from './icons.js';
import { when } from './when.js';
import { has, onLanguage, t } from './words.js';

const WAIT = 300; // ms after the last key before it is searched

/** `server`: see page/memory.py. */
export function mount(root, { server }) {
  const panel = new MemoryPanel(server);
  root.append(panel.element);
  document.addEventListener('omni:panel', ({ detail }) => detail === 'memory' && panel.look());
  document.addEventListener('omni:forgotten', () => panel.look());
  if (location.hash === '#memory') panel.look();
}

class MemoryPanel {
  #server;
  #kind = '';
  #query = '';
  #shown = 0;
  #asked = 0; // answers to an older question are dropped

  constructor(server) {
    this.#server = server;
    this.search = el('input', { type: 'search', label: 'memory.search', asks: 'memory.search', maxlength: 400 });
    this.kinds = el('div.kinds', { role: 'group', label: 'memory.kinds' });
    this.count = el('p.count', { role: 'status' });
    this.list = el('ul.known');
    this.nothing = el('p.nothing');
    this.more = el('button.button', { says: 'memory.more', hidden: true, onclick: () => this.#older() });
    this.everything = el('button.button.everything', { says: 'memory.everything', onclick: () => this.#askEverything() });
    this.dialog = el('dialog.settings', { label: 'memory.everything' });
    this.element = el('section.memory', {},
      el('div.finding', {}, el('label.search', {}, icon('search'), this.search), this.kinds),
      this.count, this.list, this.nothing,
      el('div.end', {}, this.more, this.everything),
      this.dialog);
    let waiting;
    this.search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        this.#query = this.search.value.trim();
        this.look();
      }, WAIT);
    });
    onLanguage(() => this.#dates());
  }

  /** Ask the memory anew. */
  async look() {
    const asked = ++this.#asked;
    const found = await this.#ask(() => this.#query
      ? this.#server.search({ query: this.#query, kind: this.#kind || null })
      : this.#server.look({ kind: this.#kind || null, offset: 0 }));
    if (!found || asked !== this.#asked) return;
    if (found.kinds) this.#showKinds(found.kinds);
    this.list.replaceChildren(...found.memories.map((memory) => this.#row(memory)));
    this.#shown = found.memories.length;
    this.#counted(found.total);
  }

  async #older() {
    const found = await this.#ask(() => this.#server.look({ kind: this.#kind || null, offset: this.#shown }));
    if (!found) return;
    const rows = found.memories.map((memory) => this.#row(memory));
    this.list.append(...rows);
    this.#shown += rows.length;
    this.#counted(found.total);
    rows[0]?.querySelector('button').focus();
  }

  #counted(total) {
    say(this.count, this.#query ? 'memory.found' : 'memory.count', { n: total });
    this.more.hidden = Boolean(this.#query) || this.#shown >= total;
    this.everything.hidden = total === 0 && !this.#query && !this.#kind;
    this.nothing.hidden = total > 0;
    say(this.nothing, this.#query || this.#kind ? 'memory.nothingFound' : 'memory.none');
  }

  #showKinds(counts) {
    const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
    const names = ['', ...Object.keys(counts)];
    this.kinds.replaceChildren(...names.map((kind) =>
      el('button', {
        'aria-pressed': String(kind === this.#kind),
        onclick: () => {
          this.#kind = kind;
          for (const [i, button] of [...this.kinds.children].entries()) {
            button.setAttribute('aria-pressed', String(names[i] === kind));
          }
          this.look();
        },
      }, named('kind', kind || 'all'), el('span', {}, String(kind ? counts[kind] : all)))));
  }

  #row(memory) {
    const forget = el('button.button.forget', {
      says: 'memory.forget',
      label: ['memory.forget.this', { text: memory.text.slice(0, 80) }],
      onclick: () => this.#sure(row, memory, forget),
    });
    const row = el('li.memory-row', { data: { id: memory.id, kind: memory.kind }, class: memory.until ? 'past' : '' },
      el('p.text', {}, memory.text),
      el('p.about', {},
        named('is', memory.kind),
        memory.speaker ? el('span', {}, memory.speaker) : null,
        el('time', { datetime: memory.at }, when(memory.at)),
        memory.until ? el('span', { says: ['memory.until', { when: when(memory.until) }] }) : null),
      forget);
    return row;
  }

  #sure(row, memory, forget) {
    const keep = () => {
      asking.remove();
      row.classList.remove('asking');
      forget.hidden = false;
      forget.focus();
    };
    const whole = memory.kind === 'episode' || memory.kind === 'request';
    const yes = el('button.button.bad', { says: 'memory.forget', onclick: () => this.#forget(row, memory) });
    const asking = el('div.asking', { role: 'group', label: 'memory.forget.sure', onkeydown: (event) => event.key === 'Escape' && keep() },
      el('p', {}, el('b', { says: 'memory.forget.sure' }), whole ? el('span', { says: 'memory.forget.turn' }) : null),
      yes,
      el('button.button', { says: 'memory.keep', onclick: keep }));
    forget.hidden = true;
    row.classList.add('asking');
    row.append(asking);
    yes.focus();
  }

  async #forget(row, memory) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    const done = await this.#ask(() => this.#server.forget({ id: memory.id }));
    if (!done) return;
    for (const id of done.gone) this.list.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
    row.remove();
    (next?.isConnected ? next.querySelector('.forget') : this.search).focus();
    await this.look();
    say(this.count, 'memory.forgotten', { n: done.gone.length });
  }

  async #askEverything() {
    const found = await this.#ask(() => this.#server.look({}));
    if (!found) return;
    const word = t('memory.everything.word');
    const yes = el('button.button.bad', { says: 'memory.forget', type: 'submit', disabled: true });
    const typed = el('input', {
      type: 'text',
      autocomplete: 'off',
      oninput: () => (yes.disabled = typed.value.trim().toLowerCase() !== word.toLowerCase()),
    });
    const close = () => this.dialog.close();
    this.dialog.replaceChildren(el('form', {
      onsubmit: (event) => {
        event.preventDefault();
        this.#forgetEverything();
      },
    },
    el('h2', { says: 'memory.everything' }),
    el('p', { says: ['memory.everything.sure', { n: found.total }] }),
    el('p.note', { says: 'memory.everything.but' }),
    el('label.choice', {}, el('span', { says: ['memory.everything.type', { word }] }), typed),
    el('div.end', {}, yes, el('button.button', { type: 'button', says: 'memory.keep', onclick: close }))));
    this.dialog.showModal();
    typed.focus();
  }

  async #forgetEverything() {
    this.dialog.close();
    const done = await this.#ask(() => this.#server.forget_everything({}));
    if (!done) return;
    this.#kind = this.#query = this.search.value = '';
    await this.look();
    say(this.count, 'memory.forgotten', { n: done.gone });
    this.search.focus();
  }

  async #ask(question) {
    try {
      const answer = await question();
      if (!answer?.error) return answer;
      say(this.count, 'memory.failed', { why: answer.error });
    } catch (error) {
      say(this.count, 'memory.failed', { why: error.message });
    }
    return null;
  }

  #dates() {
    for (const time of this.list.querySelectorAll('time')) time.textContent = when(time.dateTime);
  }
}

function named(form, kind) {
  const key = `memory.${form}.${kind}`;
  return has(key) ? el('span.kind', { says: key }) : el('span.kind', {}, kind);
}
