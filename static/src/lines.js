// Lines that are chosen: permalinks and ranges, the next line, the next error or hit, the end, and the link of a line.
import { log, onLines, onMessage, tell } from './page.js';
import { bring, firstInView, follows } from './gaps.js';
import { land } from './land.js';
import { stop } from './follow.js';

// A range of lines: click a number, shift-click another: #s9-L3-L8.
const parse = hash => hash.match(/^#s(\d+)-L(\d+)(?:-L(\d+))?$/);
const clear = () => log.querySelectorAll('.sel').forEach(line => line.classList.remove('sel'));

function unfold(line) {
  for (let d = line.closest('details'); d; d = d.parentElement.closest('details')) { d.open = true; d.setAttribute('data-touched', ''); }
}

/** Marks the lines that the address names. */
async function mark(block = 'center') {
  clear();
  const hash = location.hash, m = parse(hash);
  if (!m) return;
  const [, step, from, to] = m;
  const first = await bring(step, from);
  if (location.hash !== hash) return;
  // Not in a gap either: the server may know the place, asked once.
  const line = `s${step}-L${from}`, query = new URLSearchParams(location.search);
  if (!first && query.get('from') !== line) {
    query.set('from', line);
    location.replace(`?${query}${hash}`);
    return;
  }
  if (first) unfold(first);
  for (let i = +from; i <= +(to ?? from); i++) document.getElementById(`s${step}-L${i}`)?.classList.add('sel');
  if (first) land(first, block);
}

/** Chooses a line, or the one that a link in a gap names; those that a search found have no address on this page. */
async function choose(line, block) {
  stop();
  const hash = line.id ? '#' + line.id : line.hash;
  if (hash) { history.replaceState(history.state, '', hash); return mark(block); }
  clear();
  line.classList.add('sel');
  land(line, block);
}

const isOpen = element => !element.closest('details:not([open])');

/** The line where the reader is: the chosen one, else the first one on the screen. */
function here() {
  const chosen = log.querySelector('.ln.sel');
  return { line: chosen ?? firstInView(), isChosen: Boolean(chosen) };
}

/**
 * Chooses the next (1) or the one before (-1) of these lines, seen from where the reader is, and says which it is.
 * With a name it goes round the end: `Hit 3 of 7`. What of the log lies between and is not on the page is said too.
 */
export async function goOn(lines, step, name) {
  const { line: from, isChosen } = here();
  const isNext = line => !from || (step > 0 ? follows(from, line) || (line === from && !isChosen) : follows(line, from));
  let to = step > 0 ? lines.find(isNext) : lines.findLast(isNext);
  const isRound = !to && Boolean(name);
  if (isRound) to = lines.at(step > 0 ? 0 : -1);
  if (!to) return tell(name ? `${name}: none on this page` : '');
  const [low, high] = step > 0 ? [from, to] : [to, from];
  const lies = gap => from && !gap.contains(to) && (isRound ? follows(low, gap) || follows(gap, high) : follows(low, gap) && follows(gap, high));
  const gap = [...log.querySelectorAll('.gap')].find(lies);
  const place = name ? `${name} ${lines.indexOf(to) + 1} of ${lines.length}` : '';
  // The next line is the next one of the log.
  const next = !name && gap ? await bring(gap.dataset.step, step > 0 ? gap.dataset.first : gap.dataset.last) : null;
  await choose(next ?? to, name ? 'center' : 'nearest');
  tell([place, !next && gap && `${gap.firstElementChild.textContent} are not loaded and were passed over`].filter(Boolean).join(' · '));
}

/** Chooses the last line of the log: of the last step that is open, else of the last one that said something. */
async function goToEnd() {
  const steps = [...log.querySelectorAll('.step')].filter(step => step.querySelector('.ln,.gap'));
  const step = steps.findLast(isOpen) ?? steps.at(-1);
  const last = step && [...step.querySelectorAll('.ln,.gap')].at(-1);
  const line = last?.matches('.gap') ? await bring(last.dataset.step, last.dataset.last) : last;
  if (!line) return land(document.getElementById('log-end'), 'end');
  unfold(line);
  await choose(line);
}

async function copyLink() {
  const line = log.querySelector('.ln.sel');
  if (!line) return tell('No line is chosen: j, k or a click on its number chooses one');
  const link = line.id ? location.origin + location.pathname + location.hash : line.querySelector('a').href;
  const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
  tell(copied ? 'Link copied' : `The link is ${link}`);
}

if (log) {
  log.addEventListener('click', e => {
    const inGap = e.target.closest('.gap>a');
    if (inGap) { e.preventDefault(); choose(inGap); return; }
    const a = e.target.closest('.ln[id]>a');
    if (!a) return;
    e.preventDefault();
    stop();
    const [, step, n] = parse(a.hash), m = parse(location.hash);
    const range = e.shiftKey && m?.[1] === step;
    history.replaceState(history.state, '', range ? `#s${step}-L${Math.min(m[2], n)}-L${Math.max(m[2], n)}` : a.hash);
    mark('nearest');
  });
  addEventListener('hashchange', () => { stop(); mark(); });
  mark();
  // Until it is loaded the browser goes to the line by itself, which it cannot know the place of.
  if (location.hash && document.readyState !== 'complete') {
    let moved = false;
    const move = () => { moved = true; };
    for (const event of ['wheel', 'touchmove', 'pointerdown', 'keydown']) addEventListener(event, move, { passive: true, once: true });
    addEventListener('load', () => { if (!moved) mark(); });
  }
  // The reader of a failed build sees why; who comes back is where they were.
  const opensAt = document.getElementById(log.dataset.opensAt);
  const came = performance.getEntriesByType('navigation')[0]?.type;
  if (opensAt && !location.hash && came === 'navigate') land(opensAt, 'nearest');

  const click = (id, act) => document.getElementById(id)?.addEventListener('click', act);
  const shown = () => [...log.querySelectorAll('.step')].filter(isOpen).flatMap(step => [...step.querySelectorAll('.ln')]);
  click('next-line', () => goOn(shown(), 1));
  click('previous-line', () => goOn(shown(), -1));
  click('copy-line', copyLink);
  document.getElementById('copy-line')?.removeAttribute('hidden');

  document.getElementById('to-end')?.addEventListener('click', e => { e.preventDefault(); goToEnd(); });

  const MARKED = '.ln.err,.ln.wrn,.gap>.to-err';
  const buttons = [document.getElementById('previous-mark'), document.getElementById('next-mark')];
  const jump = step => goOn([...log.querySelectorAll(MARKED)], step, 'Error or warning');
  click('next-mark', () => jump(1));
  click('previous-mark', () => jump(-1));
  // The first one may come later, in a message or in lines that are loaded.
  const offer = () => { if (buttons[0]?.hidden && log.querySelector(MARKED)) for (const button of buttons) button.hidden = false; };
  onMessage(offer);
  onLines(offer);
  offer();
}
