// Every sample page in light and dark, wide and narrow: axe with all its rules, menus open and closed, no sideways scrolling, nothing in the console.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { finish, ok, samples, serve } from './serve.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.SHOTS;
if (shots) fs.mkdirSync(shots, { recursive: true });
const site = await serve({ '/events': (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n') });
const names = fs.readdirSync(samples).filter(f => f.endsWith('.html')).map(f => f.slice(0, -5));

const seen = new Set();

async function look(page, what, part) {
  const found = await page.evaluate(async part => {
    const { violations } = await axe.run(part ?? document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } });
    return violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(' | ')}`);
  }, part);
  ok(what, found.length === 0, found);
}

async function visit(page, said, name, { colorScheme, width, axed, menus }) {
  const what = `${name} ${colorScheme} ${width}`;
  said.length = 0;
  await page.goto(site.base + name, { waitUntil: 'load' });
  ok(`${what}: scrolls sideways`, await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  const cut = () => [...document.querySelectorAll('.tbl--cards')].filter(table => table.parentElement.scrollWidth > table.parentElement.clientWidth).length;
  if (width < 768) ok(`${what}: a table of cards is cut`, await page.evaluate(cut) === 0);
  ok(`${what}: console`, said.length === 0, [...said]);
  if (shots) await page.screenshot({ path: `${shots}/${name}-${colorScheme}-${width}.png`, fullPage: true });
  if (!axed) return;
  // Evaluated by the debugger, so the CSP stays as strict as it is.
  await page.evaluate(axe);
  await look(page, what);
  if (!menus) return;
  for (const button of await page.$$('[popovertarget]')) {
    const menu = '#' + await button.getAttribute('popovertarget');
    // Most pages share their menus.
    const html = await page.$eval(menu, m => m.outerHTML);
    if (seen.has(html)) continue;
    seen.add(html);
    await button.click();
    await look(page, `${what}, menu ${menu}`, menu);
    await page.keyboard.press('Escape');
  }
}

// Axe judges colours in both schemes and sizes in both widths; menus are the same in all of them but for their colours.
const looks = [
  { colorScheme: 'light', width: 1280, axed: true, menus: true },
  { colorScheme: 'dark', width: 390, axed: true },
  { colorScheme: 'light', width: 320 },
];
await Promise.all(looks.map(async look => {
  const context = await site.browser.newContext({ viewport: { width: look.width, height: 900 }, colorScheme: look.colorScheme });
  const page = await context.newPage();
  const said = [];
  page.on('console', m => m.type() === 'error' && said.push(m.text()));
  page.on('pageerror', e => said.push(String(e)));
  for (const name of names) await visit(page, said, name, look);
  await context.close();
}));
await site.end();
finish(`${names.length} sample pages`);
