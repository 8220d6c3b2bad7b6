// What the browser makes of moments: the words that the server writes, whatever its clock says.
import { finish, ok, serve } from './serve.mjs';

const site = await serve();
const page = await site.browser.newPage();
await page.goto(site.base + 'tokens-made', { waitUntil: 'load' });
ok('what came lately is marked', await page.$eval('relative-time', element => element.getAttribute('tense')) === 'past');
for (const [secs, recent, text] of [
  [0, true, 'just now'],
  [-5, true, 'just now'],
  [-65, true, '1 minute ago'],
  // The browser's clock is behind the server's.
  [3, true, 'just now'],
  [45, true, 'just now'],
  [200 * 86_400, false, null],
]) {
  const seen = await page.$eval('relative-time', (element, { secs, recent }) => {
    recent ? element.setAttribute('tense', 'past') : element.removeAttribute('tense');
    element.setAttribute('datetime', new Date(Date.now() + secs * 1000).toISOString());
    return new Promise(done => setTimeout(() => done(element.shadowRoot.textContent), 100));
  }, { secs, recent });
  ok(`a moment ${secs} s ahead`, text ? seen === text : /\d/.test(seen), seen);
}
await site.end();
finish('moments');
