// The build page while its build runs: lines arrive once and in order through cuts and refusals; following, permalinks, options, menus, keys.
import fs from 'node:fs';
import { finish, ok, samples, serve } from './serve.mjs';

const messages = fs.readFileSync(samples + '/stream.sse', 'utf8').split('\n\n').filter(Boolean).map(m => m + '\n\n');
const number = message => +(message.match(/^id: 1-(\d+)/m)?.[1] ?? 0);
const pause = ms => new Promise(done => setTimeout(done, ms));
let cuts = 0, refusals = 0, delay = 1, silent = false, connections = [], polls = 0;
// What the page is looked at for before the first message comes.
let ready = Promise.resolve();

const site = await serve({
  async '/events'(request, response, url) {
    if (refusals-- > 0) return response.writeHead(503).end('<b>down</b>');
    const last = request.headers['last-event-id'] ?? url.searchParams.get('after');
    connections.push(last);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (silent) return response.write(':\n\n');
    await ready;
    let sent = 0;
    for (const message of messages.slice(messages.findIndex(m => number(m) > +last.split('-')[1]))) {
      if (response.destroyed) return;
      response.write(message);
      if (++sent % 150 === 0 && cuts-- > 0) { await pause(30); return response.destroy(); }
      if (sent % 2 === 0) await pause(delay);
    }
    response.end();
  },
  '/new/import'(_, response) {
    response.writeHead(200, { 'content-type': 'text/html' }).end(fs.readFileSync(`${samples}/import${++polls < 2 ? '-listing' : ''}.html`));
  },
  '/lines'(_, response) {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<div class="chunk" id="s1-c9"><div class="ln" id="s1-L1001"><a href="#s1-L1001">1001</a><time></time><span>loaded</span></div></div>');
  },
});
const context = await site.browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] });
const open = async path => { const page = await context.newPage(); page.on('pageerror', e => ok('script error', false, e)); await page.goto(site.base + path); return page; };

async function whole(what) {
  connections = [];
  let begin;
  ready = new Promise(done => { begin = done; });
  const page = await open('build-running');
  ok(`${what}: no way to errors without one`, await page.isHidden('#next-mark'));
  await page.evaluate(() => { const box = document.getElementById('announce'); if (!box.checked) box.click(); });
  await page.waitForFunction(() => parseInt(document.querySelector('#s9-head [data-runs]').textContent) >= 4, null, { timeout: 5000 }).catch(e => ok(`${what}: the time of a running step goes on`, false, e.message));
  begin();
  await page.waitForFunction(() => document.getElementById('log-state').textContent.startsWith('Finished'), null, { timeout: 60_000 });
  await page.waitForFunction(() => document.getElementById('newer').textContent.includes('#150'));
  const seen = await page.evaluate(() => ({
    lines: [...document.querySelectorAll('#s9 .ln>a')].map(a => +a.textContent),
    chunks: [...document.querySelectorAll('#s9 .chunk')].map(c => c.children.length).join(),
    title: document.title,
    icon: document.getElementById('favicon').href.split('/').pop(),
    state: document.getElementById('run-icon').dataset.state,
    ready: document.getElementById('ready')?.textContent.includes('signed and ready'),
    folded: !document.getElementById('s9').open && document.getElementById('s5').tagName === 'DIV',
    buttons: !document.querySelector('form[action$="/cancel"]') && !!document.querySelector('form[action$="/rerun"]'),
    said: document.getElementById('log-state').textContent,
    announced: document.getElementById('announced').textContent,
    offered: !document.getElementById('next-mark').hidden,
    tags: document.querySelectorAll('#s9 .ln b,hx-partial,template').length,
    counts: ['tags', 'builds'].map(name => document.getElementById('count-' + name).textContent).join(),
    times: document.querySelectorAll('#s9-head [data-runs],#run-dur[data-runs]').length,
  }));
  ok(`${what}: each line once, in order`, seen.lines.length === 450 && seen.lines.every((n, i) => n === i + 1), seen.lines.length);
  ok(`${what}: the page is swapped`, seen.chunks === '200,200,50' && seen.title.startsWith('Succeeded') && seen.icon === 'logo-succeeded.svg' && seen.state === 'succeeded' && seen.ready && seen.folded && seen.buttons && seen.tags === 0, seen);
  ok(`${what}: the end is told`, seen.said === 'Finished in 1m 04s: Succeeded', seen.said);
  ok(`${what}: an error that comes later is announced and can be gone to`, seen.announced === 'error: it was too late' && seen.offered, seen);
  ok(`${what}: the tabs count anew`, seen.counts === '38,151', seen.counts);
  ok(`${what}: what is over shows no running time`, seen.times === 0, seen.times);
  const before = connections.length;
  await pause(1000);
  ok(`${what}: done ends the connection`, connections.length === before, connections);
  await page.close();
}
await whole('straight');
cuts = 3;
await whole('cut three times');
refusals = 2;
await whole('refused at first');

silent = true;
let page = await open('build-queued');
await page.waitForFunction(() => document.getElementById('log-state').textContent === 'Waiting for a builder', null, { timeout: 5000 }).catch(e => ok('a build that waits says so', false, e.message));
ok('its log says when it begins', (await page.textContent('#log-waits')).includes('begins here'));
await page.close();
silent = false;

delay = 30;
page = await open('build-running');
const left = () => page.evaluate(() => document.documentElement.scrollHeight - innerHeight - scrollY);
const pressed = () => page.getAttribute('#follow', 'aria-pressed');
await page.waitForFunction(() => document.querySelectorAll('#s9 .ln').length > 150);
// The lines of a message come before the page goes to their end.
const follows = () => document.documentElement.scrollHeight - innerHeight - scrollY < 250 && document.getElementById('follow').getAttribute('aria-pressed') === 'true';
ok('follows', await page.waitForFunction(follows, null, { timeout: 5000 }).then(() => true, () => false), await left());
await page.mouse.move(600, 500);
await page.mouse.wheel(0, -600);
await pause(300);
ok('scrolling up ends following', await pressed() === 'false' && await page.isVisible('.pill-new'));
await page.click('.pill-new');
await pause(200);
ok('the pill brings it back', await pressed() === 'true' && await left() < 250);
await page.evaluate(() => { location.hash = 's9-L2'; });
await pause(200);
ok('a permalink ends following', await pressed() === 'false' && await page.isVisible('#s9-L2.sel'));
await page.close();
page = await open('build-running#s9-L2');
await pause(400);
ok('a permalink starts without following', await pressed() === 'false');
await page.close();

page = await open('build-failed#s1-L2');
ok('a permalink opens its step', await page.isVisible('#s1-L2.sel'));
await page.click('#s9-L3>a');
await page.click('#s9-L6>a', { modifiers: ['Shift'] });
ok('a range', page.url().endsWith('#s9-L3-L6') && await page.locator('.sel').count() === 4, page.url());
await page.keyboard.press('n');
ok('n goes to the next error', page.url().endsWith('#s9-L5'), page.url());
await page.keyboard.press('t');
ok('t shows times', await page.isVisible('#s9-L1>time'));
const copied = await page.evaluate(() => { getSelection().selectAllChildren(document.getElementById('s9-c0')); return getSelection().toString(); });
ok('copied text has no numbers', !/^\d|\n\d/.test(copied), copied);
await page.keyboard.press('?');
ok('? shows the keys', await page.isVisible('#m-keys'));
await page.check('#keys-off');
await page.keyboard.press('Escape');
await page.keyboard.press('?');
ok('keys can be switched off', !await page.isVisible('#m-keys'));
await page.close();

page = await open('build-done');
await page.click('#ready ~ .cmd clipboard-copy');
ok('copy', await page.evaluate(() => navigator.clipboard.readText()) === 'docker pull slipway.example.org/acme/api:latest');
await page.click('#s1 summary');
await page.locator('.more').scrollIntoViewIfNeeded().catch(() => {});
ok('a gap is loaded', await page.waitForSelector('#s1-L1001').then(() => true, () => false));
await page.close();
page = await open('import-listing');
await page.waitForFunction(() => !document.querySelector('[hx-trigger]'), null, { timeout: 10_000 });
ok('the list of repositories arrives', await page.isVisible('text=Refresh'));
const asked = polls;
await pause(2500);
ok('then it asks no more', polls === asked, `${polls - asked} times more`);
await page.close();
page = await open('tokens-new-hostile');
ok('the summary of errors has the focus', await page.evaluate(() => document.activeElement.getAttribute('role')) === 'alert');
await site.end();

const plain = await serve();
page = await (await plain.browser.newContext({ javaScriptEnabled: false })).newPage();
await page.goto(plain.base + 'build-failed#s1-L2');
ok('without scripts a permalink opens its step', await page.isVisible('#s1-L2'));
await page.goto(plain.base + 'repository');
await page.click('[popovertarget=m-pull]');
ok('without scripts menus open', await page.isVisible('#m-pull'));
await plain.end();
finish('live pages');
