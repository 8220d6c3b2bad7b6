// Lines that are chosen: permalinks and ranges, the next line, the next error or hit, and the link of a line.
import { log, onMessage, tell } from './page.js';
import { stop } from './follow.js';

// A range of lines: click a number, shift-click another: #s9-L3-L8.
const parse = hash => hash.match(/^#(s\d+)-L(\d+)(?:-L(\d+))?$/);
const clear = () => log.querySelectorAll('.sel').forEach(line => line.classList.remove('sel'));

/** Marks the lines that the address names. */
function mark(block = 'center') {
  clear();
  const m = parse(location.hash);
  if (!m) return;
  const line = `${m[1]}-L${m[2]}`;
  const first = document.getElementById(line);
  // In the middle of a long step: the server puts it on the page, asked once.
  const query = new URLSearchParams(location.search);
  if (!first && query.get('from') !== line) {
    query.set('from', line);
    location.replace(`?${query}${location.hash}`);
    return;
  }
  for (let d = first?.closest('details'); d; d = d.parentElement.closest('details')) { d.open = true; d.setAttribute('data-touched', ''); }
  for (let i = +m[2]; i <= +(m[3] ?? m[2]); i++) document.getElementById(`${m[1]}-L${i}`)?.classList.add('sel');
  first?.scrollIntoView({ block });
}

/** Chooses a line; those that a search found have no address on this page. */
function choose(line, block) {
  stop();
  if (line.id) { history.replaceState(null, '', '#' + line.id); return mark(block); }
  clear();
  line.classList.add('sel');
  line.scrollIntoView({ block });
}

// Below the rows that stay in view.
const TOP = 140;
const isOpen = element => !element.closest('details:not([open])');
const isBelow = element => element.getBoundingClientRect().bottom > TOP;

/** The line where the reader is: the chosen one, else the first one on the screen. */
function here() {
  const chosen = log.querySelector('.ln.sel');
  if (chosen) return { line: chosen, isChosen: true };
  const groups = [...log.querySelectorAll('.chunk:not(.gap),.found .lines')].filter(isOpen);
  const group = groups.find(isBelow);
  return { line: group && [...group.querySelectorAll('.ln')].find(isBelow), isChosen: false };
}

const follows = (a, b) => Boolean(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING);

/**
 * Chooses the next (1) or the one before (-1) of these lines, seen from where the reader is, and says which it is.
 * With a name it goes round the end: `Hit 3 of 7`. What of the log lies between and is not on the page is said too.
 */
export function goOn(lines, step, name) {
  const { line: from, isChosen } = here();
  const isNext = line => !from || (step > 0 ? follows(from, line) || (line === from && !isChosen) : follows(line, from));
  let to = step > 0 ? lines.find(isNext) : lines.findLast(isNext);
  const isRound = !to && Boolean(name);
  if (isRound) to = lines.at(step > 0 ? 0 : -1);
  if (!to) return tell(name ? `${name}: none on this page` : '');
  const [low, high] = step > 0 ? [from, to] : [to, from];
  const lies = gap => from && (isRound ? follows(low, gap) || follows(gap, high) : follows(low, gap) && follows(gap, high));
  const gap = [...log.querySelectorAll('.gap')].find(lies);
  choose(to, name ? 'center' : 'nearest');
  const place = name ? `${name} ${lines.indexOf(to) + 1} of ${lines.length}` : '';
  tell([place, gap && `${gap.textContent.trim()} are not loaded and were passed over`].filter(Boolean).join(' · '));
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
    const a = e.target.closest('.ln[id]>a');
    if (!a) return;
    e.preventDefault();
    stop();
    const [, step, n] = parse(a.hash), m = parse(location.hash);
    const range = e.shiftKey && m?.[1] === step;
    history.replaceState(null, '', range ? `#${step}-L${Math.min(m[2], n)}-L${Math.max(m[2], n)}` : a.hash);
    mark();
  });
  addEventListener('hashchange', () => { stop(); mark(); });
  mark();

  const click = (id, act) => document.getElementById(id)?.addEventListener('click', act);
  const shown = () => [...log.querySelectorAll('.step')].filter(isOpen).flatMap(step => [...step.querySelectorAll('.ln')]);
  click('next-line', () => goOn(shown(), 1));
  click('previous-line', () => goOn(shown(), -1));
  click('copy-line', copyLink);
  document.getElementById('copy-line')?.removeAttribute('hidden');

  const MARKED = '.ln.err,.ln.wrn';
  const buttons = [document.getElementById('previous-mark'), document.getElementById('next-mark')];
  const jump = step => goOn([...log.querySelectorAll(MARKED)], step, 'Error or warning');
  click('next-mark', () => jump(1));
  click('previous-mark', () => jump(-1));
  // The first one may come later, in a message or in lines that are loaded.
  const offer = () => { if (buttons[0]?.hidden && log.querySelector(MARKED)) for (const button of buttons) button.hidden = false; };
  onMessage(offer);
  document.addEventListener('htmx:after:swap', offer);
  offer();
}
