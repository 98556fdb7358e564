// Hold to talk: a button that is held by finger, mouse or key, and the space bar wherever nothing
// else wants it.

const TYPES = 'input, textarea, select, [contenteditable], button, a, summary, [role="tab"], dialog';

/** `on.press()` and `on.release()` come in turn. `enabled()`: whether there is anything to hold. */
export function pushToTalk(button, { enabled, on }) {
  let holding = null; // what holds it: "pointer" or a key

  const press = (by) => {
    if (holding !== null || !enabled()) return false;
    holding = by;
    button.setAttribute('aria-pressed', 'true');
    on.press();
    return true;
  };
  const release = (by) => {
    if (holding !== by) return;
    holding = null;
    button.setAttribute('aria-pressed', 'false');
    on.release();
  };

  button.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !press('pointer')) return;
    button.setPointerCapture(event.pointerId);
    event.preventDefault(); // no text selection on a long press
    button.focus({ preventScroll: true });
  });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    button.addEventListener(end, () => release('pointer'));
  }
  button.addEventListener('contextmenu', (event) => event.preventDefault());

  document.addEventListener('keydown', (event) => {
    if (event.code !== 'Space' && !(event.code === 'Enter' && event.target === button)) return;
    if (event.target !== button && event.target.closest?.(TYPES)) return;
    if (event.repeat ? holding === event.code : press(event.code)) event.preventDefault();
  });
  document.addEventListener('keyup', (event) => release(event.code));
  // A key that is let go in another window sends nothing here.
  window.addEventListener('blur', () => holding !== null && release(holding));
}
