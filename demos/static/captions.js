// What is said, line by line: who said it, and how much of it was heard.
//
// Words arrive long before they sound. What has sounded stands in full ink, what is still to come
// is paler, and what the user cut off stays struck out: it was never heard.

import { el, say, text } from './dom.js';

const CHARS_A_SECOND = { latin: 14.5, han: 4.6 }; // until an item's sound is whole
const MOST_LINES = 200;

export class Captions {
  #lines = new Map(); // id → line
  #draft = 0;
  #onLine;

  /** `onLine(line)` whenever the line that matters now has changed. */
  constructor(onLine = () => {}) {
    this.#onLine = onLine;
    this.lines = el('ol.lines', { role: 'log', label: 'captions.log', 'aria-live': 'off', tabindex: '0' });
    this.element = el('details.said-so-far', { open: true, hidden: true },
      el('summary', { says: 'captions.log' }), this.lines);
  }

  /** Read lines out as they come; only where nobody hears the agent's voice anyway. */
  readAloud(on) {
    this.lines.setAttribute('aria-live', on ? 'polite' : 'off');
  }

  /** What the user is saying; replaces what was there before. */
  hears(words, { id = `draft-${this.#draft}`, speaker = null, final = false } = {}) {
    const draft = this.#lines.get(`draft-${this.#draft}`);
    let line = this.#lines.get(id);
    if (!line && draft && id !== draft.id) {
      line = this.#renamed(draft, id);
    }
    line ??= this.#add({ id, role: 'user', who: speaker });
    if (speaker) this.#named(line, speaker);
    line.text = words;
    line.heard = words.length;
    line.open = !final;
    if (final) this.#draft += 1;
    if (final && !words.trim()) this.#remove(line);
    else this.#show(line);
  }

  wrote(words) {
    const line = this.#add({ id: `typed-${++this.#draft}`, role: 'user', who: null });
    line.text = words;
    line.heard = words.length;
    this.#show(line);
  }

  /** More words of the agent's item `id`. */
  says(id, words, { who = null, whole = false } = {}) {
    const line = this.#lines.get(id) ?? this.#add({ id, role: 'agent', who });
    line.text = whole ? words : line.text + words;
    this.#show(line);
  }

  wordsOf(id) {
    return this.#lines.get(id)?.text ?? '';
  }

  /** `ms` more of an item's sound have come. */
  sounds(id, ms) {
    const line = this.#lines.get(id);
    if (line) line.whole += ms;
  }

  /** No more words will come. Without sound, all was read. */
  ends(id) {
    const line = this.#lines.get(id);
    if (!line) return;
    line.open = false;
    if (!line.whole) line.heard = line.text.length;
    if (!line.text.trim()) this.#remove(line);
    else this.#show(line);
  }

  /** So much of it has sounded. */
  played(id, ms) {
    const line = this.#lines.get(id);
    if (!line || line.cut) return;
    const rate = /[\u3040-\u9fff]/.test(line.text) ? CHARS_A_SECOND.han : CHARS_A_SECOND.latin;
    const share = line.open || !line.whole ? (ms / 1000) * rate : (line.text.length * ms) / line.whole;
    line.heard = Math.max(line.heard, wholeWords(line.text, Math.round(share)));
    this.#show(line);
  }

  playedAll(id) {
    const line = this.#lines.get(id);
    if (!line || line.cut) return;
    line.heard = line.text.length;
    this.#show(line);
  }

  /** The user cut in after `ms`. */
  cut(id, ms) {
    const line = this.#lines.get(id);
    if (!line) return;
    this.played(id, ms);
    line.cut = true;
    line.open = false;
    this.#show(line);
  }

  /** The server knows to the word what was heard. */
  heard(id, words) {
    const line = this.#lines.get(id);
    if (!line?.cut || !line.text.startsWith(words.trim())) return;
    line.heard = words.trim().length;
    this.#show(line);
  }

  get last() {
    return [...this.#lines.values()].at(-1) ?? null;
  }

  clear() {
    this.#lines.clear();
    this.lines.replaceChildren();
    this.element.hidden = true;
    this.#onLine(null);
  }

  #add({ id, role, who }) {
    const line = { id, role, who, text: '', heard: 0, whole: 0, open: true, cut: false };
    line.name = el('span.who');
    line.said = el('span.said');
    line.coming = el('span.coming');
    line.mark = el('span.sr-only');
    line.element = el(`li.line.${role}`, {}, line.name, el('p', {}, line.said, line.coming, line.mark));
    this.#named(line, who);
    this.#lines.set(id, line);
    this.lines.append(line.element);
    this.element.hidden = false;
    if (this.#lines.size > MOST_LINES) this.#remove(this.#lines.values().next().value);
    return line;
  }

  #named(line, who) {
    line.who = who;
    if (who) text(line.name, who);
    else say(line.name, line.role === 'user' ? 'captions.you' : 'captions.agent');
  }

  #renamed(line, id) {
    this.#lines.delete(line.id);
    line.id = id;
    this.#lines.set(id, line);
    return line;
  }

  #remove(line) {
    this.#lines.delete(line.id);
    line.element.remove();
    this.#onLine(this.last);
  }

  #show(line) {
    const atEnd = this.#atEnd();
    line.said.textContent = line.text.slice(0, line.heard);
    line.coming.textContent = line.text.slice(line.heard);
    line.element.classList.toggle('cut', line.cut);
    line.element.classList.toggle('open', line.open);
    if (line.cut && line.heard < line.text.length) say(line.mark, 'captions.unheard');
    if (atEnd) this.lines.scrollTop = this.lines.scrollHeight;
    this.#onLine(line);
  }

  #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    return scrollHeight - scrollTop - clientHeight < 40;
  }
}

/** So many characters, but no piece of a word. */
function wholeWords(words, count) {
  if (count >= words.length) return words.length;
  if (!/\w/.test(words[count] ?? '') || !/\w/.test(words[count - 1] ?? '')) return count;
  return words.slice(0, count).search(/\w+$/);
}
