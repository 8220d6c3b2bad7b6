// Lines of a long step that are not on the page. They come when the reader scrolls to their place, or goes to one of them,
// and what the reader looks at stays where it is.
import { log, onLines } from './page.js';
import { hold } from './land.js';

// Below the rows that stay in view.
const TOP = 140;
const isOpen = element => !element.closest('details:not([open])');
const isBelow = element => element.getBoundingClientRect().bottom > TOP;
const isOnScreen = element => isBelow(element) && element.getBoundingClientRect().top < innerHeight;

/** The first line on the screen, or below it. */
export function firstInView() {
  const groups = [...log.querySelectorAll('.chunk,.found .lines')].filter(isOpen);
  const group = groups.find(isBelow);
  return group && [...group.querySelectorAll('.ln')].find(isBelow);
}

export const follows = (a, b) => Boolean(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING);

/** What the reader looks at: the chosen line, else the first one. */
const lookedAt = () => [...log.querySelectorAll('.ln.sel')].find(line => isOpen(line) && isOnScreen(line)) ?? firstInView();

const loading = new WeakMap();

/** Puts lines in the place of a gap, line `at` among them; false when they did not come. */
function load(gap, at) {
  if (!loading.has(gap)) loading.set(gap, fill(gap, at).finally(() => loading.delete(gap)));
  return loading.get(gap);
}

async function fill(gap, at) {
  const html = await fetch(`${gap.dataset.lines}&at=${at}`).then(answer => answer.ok && answer.text(), () => false);
  if (html === false) return false;
  const parts = document.createElement('template');
  parts.innerHTML = html;
  hold(lookedAt(), () => gap.replaceWith(parts.content));
  document.dispatchEvent(new Event('slipway:lines'));
  return true;
}

const gapOf = (step, line) => [...log.querySelectorAll(`.gap[data-step="${step}"]`)].find(gap => +gap.dataset.first <= +line && +line <= +gap.dataset.last);

/** A line of a step, which comes to the page if it is not there; null where there is none. */
export async function bring(step, line) {
  // Another part of its gap may be on its way.
  for (let tries = 0; tries < 4; tries++) {
    const there = document.getElementById(`s${step}-L${line}`), gap = gapOf(step, line);
    if (there || !gap) return there;
    if (!await load(gap, line)) return null;
  }
  return null;
}

if (log) {
  const watch = new IntersectionObserver(seen => {
    for (const { target: gap, isIntersecting } of seen) if (isIntersecting) {
      const line = lookedAt();
      load(gap, line && follows(gap, line) ? gap.dataset.last : gap.dataset.first);
    }
    // Before they are in view: a place for thousands of lines is small, and somebody who scrolls fast would pass it.
  }, { rootMargin: '2500px' });
  const look = () => { for (const gap of log.querySelectorAll('.gap')) watch.observe(gap); };
  onLines(look);
  look();
}
