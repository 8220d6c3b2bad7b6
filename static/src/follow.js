// Follows the end of a running log until the reader looks elsewhere.
import { live, log, onMessage } from './page.js';

const follow = document.getElementById('follow');
const pill = Object.assign(document.createElement('button'), { className: 'btn btn-sm btn-primary pill-new', hidden: true, textContent: '↓ New lines' });
let on = false, frame = null;
const last = () => [...log.querySelectorAll('.chunk:last-of-type')].at(-1)?.lastElementChild ?? log.querySelector('#steps')?.lastElementChild;
const show = () => last()?.scrollIntoView({ block: 'end' });
const set = now => { on = now; follow?.setAttribute('aria-pressed', now); if (now) { pill.hidden = true; show(); } };
export const stop = () => { if (on) set(false); };

log?.append(pill);
if (log && live?.hasAttribute('data-running')) {
  if (follow) follow.hidden = false;
  follow?.addEventListener('click', () => set(!on));
  pill.addEventListener('click', () => set(true));
  addEventListener('wheel', e => { if (e.deltaY < 0) stop(); }, { passive: true });
  addEventListener('touchmove', stop, { passive: true });
  addEventListener('keydown', e => { if (['PageUp', 'Home', 'ArrowUp'].includes(e.key)) stop(); });
  document.addEventListener('selectionchange', () => { const s = getSelection(); if (!s.isCollapsed && log.contains(s.anchorNode)) stop(); });
  live.addEventListener('finished', () => { stop(); if (follow) follow.hidden = true; pill.hidden = true; });
  onMessage(data => {
    // A step that went well folds, unless the reader ever touched it.
    for (const step of log.querySelectorAll('.step[open]:not([data-touched])')) if (step.querySelector(':scope>summary>[data-state=succeeded]')) step.open = false;
    if (!on) { if (data.includes('class="ln')) pill.hidden = false; }
    // One scroll a frame: one a message blocks the page at thousands of lines a second.
    else frame ??= requestAnimationFrame(() => { frame = null; if (on) show(); });
  });
  if (!location.hash) set(true);
}
log?.addEventListener('click', e => e.target.closest('.step>summary')?.parentElement.setAttribute('data-touched', ''));
