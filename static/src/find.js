// What is typed into the search of the log is marked in the lines on the page; Enter asks the server, which looks through all of it,
// and with the same words once more goes to the next hit.
import { log, onLines, onMessage } from './page.js';
import { goOn } from './lines.js';

const input = log?.querySelector('input[name=q]');
// A page with very many hits stays quick; the server counts all of them.
const MOST = 5000;

/** The server's rules: words as they stand in any case, or /a pattern/. */
function pattern(query) {
  const inner = query.match(/^\/(.+)\/$/)?.[1];
  try {
    return inner ? new RegExp(inner, 'gu') : new RegExp(query.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'giu');
  } catch {
    return null;
  }
}

/** Places of a line's text; colours part it into several nodes. */
function* places(span, found) {
  const nodes = document.createTreeWalker(span, NodeFilter.SHOW_TEXT);
  let node = nodes.nextNode(), start = 0;
  const at = offset => {
    while (node && start + node.length < offset) { start += node.length; node = nodes.nextNode(); }
    return [node, offset - start];
  };
  for (const { 0: text, index } of found) {
    if (!text) continue;
    const range = new Range();
    range.setStart(...at(index));
    range.setEnd(...at(index + text.length));
    yield range;
  }
}

/** Marks what is found, and answers with its lines. */
function marked(query) {
  const wanted = query && pattern(query), ranges = [], lines = [];
  if (wanted) for (const span of log.querySelectorAll('.ln[id]>span')) {
    const found = [...span.textContent.matchAll(wanted)];
    if (!found.length) continue;
    lines.push(span.parentElement);
    if (ranges.length < MOST) ranges.push(...places(span, found));
  }
  globalThis.CSS?.highlights?.set('found', new Highlight(...ranges));
  return lines;
}

if (input) {
  let timer = null;
  const later = () => { timer ??= setTimeout(() => { timer = null; marked(input.value.trim()); }, 200); };
  const answer = [...log.querySelectorAll('.ln.hit')];
  input.form.addEventListener('submit', e => {
    const query = input.value.trim();
    if (!query || query !== input.defaultValue.trim()) return;
    const lines = answer.length ? answer : marked(query);
    if (!lines.length) return;
    e.preventDefault();
    goOn(lines, 1, answer.length ? 'Hit' : 'Hit on this page');
  });
  if (!answer.length) {
    input.addEventListener('input', later);
    const again = () => { if (input.value) later(); };
    onMessage(again);
    onLines(again);
    again();
  }
}
