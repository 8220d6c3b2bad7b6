// Build pages. htmx and its SSE extension connect, resume, append and swap; these scripts follow the end, mark lines and say what goes on.
import { live, log, onMessage, say } from './page.js';
import './follow.js';
import './lines.js';
import './find.js';
import './announce.js';

if (live) {
  const running = live.hasAttribute('data-running');
  const when = (event, act) => document.addEventListener(event, e => { if (e.target === live) act(e); });
  let over = !running;
  let connected = false;
  const how = () => { if (connected && !over) say(document.getElementById('run-icon')?.dataset.state === 'queued' ? 'Waiting for a builder' : 'Receiving…'); };
  when('htmx:sse:after:connection', () => { connected = true; how(); });
  onMessage(how);
  when('htmx:sse:error', () => { connected = false; if (!over) say('Connection lost, trying again…'); });
  when('htmx:error', () => { connected = false; if (!over) say('Connection lost, trying again…'); setTimeout(() => htmx.trigger(live, 'slipway:retry'), 2000); });
  when('htmx:response:error', e => {
    if (e.detail.ctx.response.status < 500) return say('Reload this page to go on.');
    setTimeout(() => htmx.trigger(live, 'slipway:retry'), 2000);
  });
  // A page that was drawn after the end says how long its log is.
  live.addEventListener('finished', e => { if (!over) say(e.detail.data); over = true; });
}

// Times, wrapping and colours change at once; the same links work as ?ts=1, ?wrap=0 and ?plain=1 without scripts.
for (const a of document.querySelectorAll('a[data-log]')) a.addEventListener('click', e => {
  e.preventDefault();
  a.querySelector('[data-is]').textContent = log.toggleAttribute('data-' + a.dataset.log) ? a.dataset.on : a.dataset.off;
  // Kept as the server keeps it after a link.
  const chosen = ['ts', 'nowrap', 'plain'].filter(name => log.hasAttribute('data-' + name)).map(name => name[0]).join('');
  document.cookie = `slipway-log=${chosen};path=/;max-age=31536000;samesite=lax${location.protocol === 'https:' ? ';secure' : ''}`;
});
