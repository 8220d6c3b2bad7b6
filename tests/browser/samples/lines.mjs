// Lines of a log that is over: the next error, the next line, the end, the link of a line, hits of a search, colours; and lines
// that come when somebody goes to them.
import { finish, ok, serve } from './serve.mjs';

// The lines of a gap, a thousand around the one that is asked for, as the server answers.
const lines = (request, response, url) => {
  const [step, from, to, at] = ['step', 'from', 'to', 'at'].map(name => +url.searchParams.get(name));
  const low = Math.max(from, Math.min(at - 500, to - 999)), high = Math.min(to, low + 999);
  const known = [15_001, 20_311], base = `${url.pathname}?step=${step}`;
  const gap = (a, b) => a > b ? '' : `<div class="gap" data-step="${step}" data-first="${a}" data-last="${b}" data-lines="${base}&amp;from=${a}&amp;to=${b}"><a class="more" href="#s${step}-L${a}">Lines ${a} to ${b}</a>${known.filter(n => n >= a && n <= b).map(n => ` <a class="to-err" href="#s${step}-L${n}">error in line ${n}</a>`).join('')}</div>`;
  const line = n => `<div class="ln${known.includes(n) ? ' err' : ''}" id="s${step}-L${n}"><a href="#s${step}-L${n}">${n}</a><time></time><span>crate ${n}</span></div>`;
  const all = Array.from({ length: high - low + 1 }, (_, n) => line(low + n)).join('');
  // Later than anything that a jump does by itself.
  setTimeout(() => response.writeHead(200, { 'content-type': 'text/html' }).end(`${gap(from, low - 1)}<div class="chunk part">${all}</div>${gap(high + 1, to)}`), 150);
};
const site = await serve({ '/lines': lines });
const context = await site.browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] });
// A transition between pages that Chromium gives up is no fault of a script.
const open = async path => { const page = await context.newPage(); page.on('pageerror', e => ok('script error', /ViewTransition/.test(e.message), e)); await page.route('**/lines*', () => {}); await page.goto(site.base + path); return page; };
const hash = page => new URL(page.url()).hash;
const told = page => page.textContent('#log-told');

let page = await open('build-failed');
await page.keyboard.press('n');
ok('n without a line goes to the first error on the screen', hash(page) === '#s9-L3', hash(page));
await page.keyboard.press('n');
ok('n goes on', hash(page) === '#s9-L5' && await told(page) === 'Error or warning 2 of 3', [hash(page), await told(page)]);
await page.keyboard.press('p');
ok('p goes back', hash(page) === '#s9-L3', hash(page));
await page.keyboard.press('p');
ok('p goes round to the last one', hash(page) === '#s9-L9', hash(page));
await page.close();
page = await open('build-failed');
await page.keyboard.press('p');
ok('p without a line goes to the last error before the screen, else to the last one', hash(page) === '#s9-L9', hash(page));
await page.close();
page = await open('build-failed#s9-L6');
await page.keyboard.press('n');
ok('n goes on from a permalink', hash(page) === '#s9-L9', hash(page));
await page.keyboard.press('j');
ok('j at the end stays', hash(page) === '#s9-L9', hash(page));
await page.keyboard.press('k');
await page.keyboard.press('k');
ok('k goes up', hash(page) === '#s9-L7' && await page.isVisible('#s9-L7.sel'), hash(page));
await page.keyboard.press('j');
await page.keyboard.press('y');
await page.waitForFunction(() => document.getElementById('log-told').textContent === 'Link copied');
const link = await page.evaluate(() => navigator.clipboard.readText());
ok('y copies the link', link === site.base + 'build-failed#s9-L8', link);
const colour = selector => page.$eval(selector, e => [getComputedStyle(e).color, getComputedStyle(e).fontWeight].join());
const [shown, bare] = [await colour('#s9-L1>span>span'), await colour('#s9-L1>span')];
await page.click('[popovertarget=m-log]');
await page.click('a[data-log=plain]');
const plain = await colour('#s9-L1>span>span');
ok('without colours', shown !== bare && plain === bare, [shown, bare, plain]);
ok('the link says the way back', await page.textContent('a[data-log=plain]') === 'With colours');
await page.close();

page = await open('build-done');
await page.evaluate(() => { location.hash = 's1-L2'; });
await page.waitForSelector('#s1-L2.sel');
ok('a log with a warning only has a way to it', await page.isVisible('#next-mark'));
await page.keyboard.press('n');
const over = await told(page);
ok('lines that are passed over are told', hash(page) === '#s1-L41002' && over === 'Error or warning 1 of 1 · Lines 1,001 to 41,000 are not loaded and were passed over', [hash(page), over]);
await page.close();

page = await context.newPage();
page.on('pageerror', e => ok('script error', /ViewTransition/.test(e.message), e));
const isShown = id => page.evaluate(id => {
  const place = document.getElementById(id)?.getBoundingClientRect();
  return place ? place.top > 100 && place.bottom <= innerHeight || `${id} is at ${place.top}` : `${id} is not there`;
}, id);
const lands = async (what, line) => {
  await page.waitForTimeout(700);
  const seen = await isShown(`s9-L${line}`);
  ok(`${what} lands on its line`, seen === true && (line === 49_996 || hash(page) === `#s9-L${line}`), [seen, hash(page)]);
};
await page.goto(site.base + 'build-failed-long');
await lands('a page of a failed build', 49_996);
ok('what is before the error is folded', await page.isHidden('#s9-L49982') && await page.isVisible('#s9-L49983'));
for (const [key, line] of [['n', 49_994], ['p', 20_311], ['p', 15_001], ['p', 50_000], ['n', 15_001], ['e', 50_000]]) {
  await page.keyboard.press(key);
  await lands(key, line);
}
await page.evaluate(() => { globalThis.stayed = true; location.hash = 's9-L30000'; });
await lands('a permalink', 30_000);
ok('without loading the page anew', await page.evaluate(() => globalThis.stayed));
for (let turn = 0; turn < 40; turn++) { await page.mouse.move(600, 500); await page.mouse.wheel(0, -600); await page.waitForTimeout(40); }
await page.waitForTimeout(400);
const order = await page.$$eval('#s9 .ln[id]>a', all => all.map(a => +a.textContent));
ok('lines that come are in order, and each is once', order.every((n, at) => !at || n > order[at - 1]), order.length);
ok('and more come', order.filter(n => n > 28_000 && n < 31_000).length > 1_500, order.length);
await page.close();

const field = 'input[name=q]';
page = await open('build-found');
await page.waitForFunction(() => CSS.highlights.get('found')?.size === 1);
const hit = await page.evaluate(() => { const [range] = CSS.highlights.get('found'); return [range.toString(), getComputedStyle(document.getElementById('s9-L2'), '::highlight(found)').backgroundColor]; });
ok('a hit is marked across colours', hit[0] === 'Compiling axum' && !/^rgba\(0, 0, 0, 0\)|^transparent/.test(hit[1]), hit);
await page.fill(field, '/e[a-z]+r/');
await page.waitForFunction(() => CSS.highlights.get('found')?.size > 2);
await page.fill(field, 'compiling axum');
await page.press(field, 'Enter');
ok('Enter goes to a hit', hash(page) === '#s9-L2' && await told(page) === 'Hit on this page 1 of 1', [hash(page), await told(page)]);
await page.close();
page = await open('build-search-hostile');
await page.press(field, 'Enter');
await page.press(field, 'Enter');
const number = await page.textContent('.ln.hit.sel>a');
ok('Enter goes on to the next hit', number === '99998' && await told(page) === 'Hit 2 of 2', [number, await told(page)]);
await page.fill(field, 'other');
await page.press(field, 'Enter');
await page.waitForURL('**/build-search-hostile?q=other');
await site.end();
finish('lines of a log');
