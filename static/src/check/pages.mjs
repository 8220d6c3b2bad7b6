// Every sample page in light and dark, wide and narrow: axe with all its rules, menus open and closed, no sideways scrolling, nothing in the console.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { finish, ok, samples, serve } from './serve.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.SHOTS;
if (shots) fs.mkdirSync(shots, { recursive: true });
const site = await serve({ '/events': (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n') });
const names = fs.readdirSync(samples).filter(f => f.endsWith('.html')).map(f => f.slice(0, -5));

async function look(page, what) {
  const found = await page.evaluate(async source => {
    if (!window.axe) (0, eval)(source);
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(' | ')}`);
  }, axe);
  ok(what, found.length === 0, found);
}

for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['light', 390], ['dark', 390], ['light', 320]]) {
  const context = await site.browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  let said = [];
  page.on('console', m => m.type() === 'error' && said.push(m.text()));
  page.on('pageerror', e => said.push(String(e)));
  const cdp = await context.newCDPSession(page);
  for (const name of names) {
    const what = `${name} ${colorScheme} ${width}`;
    said = [];
    await page.goto(site.base + name, { waitUntil: 'load' });
    ok(`${what}: scrolls sideways`, await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
    ok(`${what}: console`, said.length === 0, said);
    if (width === 320) continue;
    if (shots) await page.screenshot({ path: `${shots}/${name}-${colorScheme}-${width}.png`, fullPage: true });
    // axe is put into the page by eval, which the CSP rightly refuses.
    await cdp.send('Page.setBypassCSP', { enabled: true });
    await page.reload({ waitUntil: 'load' });
    await look(page, what);
    for (const button of await page.$$('[popovertarget]')) {
      await button.click();
      await look(page, `${what}, menu ${await button.getAttribute('popovertarget')}`);
      await page.keyboard.press('Escape');
    }
    await cdp.send('Page.setBypassCSP', { enabled: false });
  }
  await context.close();
}
await site.end();
finish(`${names.length} sample pages`);
