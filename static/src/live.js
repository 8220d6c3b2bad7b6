// Build pages. htmx and its SSE extension connect, resume, append and swap; this file follows the end, marks lines and says what goes on.
const live = document.getElementById('live'), log = document.getElementById('log');
const say = text => { const state = document.getElementById('log-state'); if (state) state.textContent = text; };

if (live) {
  const running = live.hasAttribute('data-running');
  const when = (event, act) => document.addEventListener(event, e => { if (e.target === live) act(e); });
  let over = !running;
  when('htmx:sse:after:connection', () => { if (!over) say('Receiving…'); });
  when('htmx:sse:error', () => { if (!over) say('Connection lost, trying again…'); });
  when('htmx:error', () => { if (!over) say('Connection lost, trying again…'); setTimeout(() => htmx.trigger(live, 'slipway:retry'), 2000); });
  when('htmx:response:error', e => {
    if (e.detail.ctx.response.status < 500) return say('Reload this page to go on.');
    setTimeout(() => htmx.trigger(live, 'slipway:retry'), 2000);
  });
  // A page that was drawn after the end says how long its log is.
  live.addEventListener('finished', e => { if (!over) say(e.detail.data); over = true; });
}

if (log) {
  const follow = document.getElementById('follow');
  let on = false, frame = null;
  const pill = Object.assign(document.createElement('button'), { className: 'btn btn-sm btn-primary pill-new', hidden: true, textContent: '↓ New lines' });
  log.append(pill);
  const last = () => [...log.querySelectorAll('.chunk:last-of-type')].at(-1)?.lastElementChild ?? log.querySelector('#steps')?.lastElementChild;
  const show = () => last()?.scrollIntoView({ block: 'end' });
  const set = now => { on = now; follow?.setAttribute('aria-pressed', now); if (now) { pill.hidden = true; show(); } };
  const stop = () => { if (on) set(false); };

  if (live?.hasAttribute('data-running')) {
    if (follow) follow.hidden = false;
    follow?.addEventListener('click', () => set(!on));
    pill.addEventListener('click', () => set(true));
    addEventListener('wheel', e => { if (e.deltaY < 0) stop(); }, { passive: true });
    addEventListener('touchmove', stop, { passive: true });
    addEventListener('keydown', e => { if (['PageUp', 'Home', 'ArrowUp'].includes(e.key)) stop(); });
    document.addEventListener('selectionchange', () => { const s = getSelection(); if (!s.isCollapsed && log.contains(s.anchorNode)) stop(); });
    live.addEventListener('finished', () => { stop(); if (follow) follow.hidden = true; pill.hidden = true; });
    document.addEventListener('htmx:sse:after:message', e => {
      if (e.detail.message.event) return;
      // A step that went well folds, unless the reader ever touched it.
      for (const step of log.querySelectorAll('.step[open]:not([data-touched])')) if (step.querySelector(':scope>summary>[data-state=succeeded]')) step.open = false;
      if (!on) pill.hidden = !e.detail.message.data.includes('class="ln');
      // One scroll a frame: one a message blocks the page at thousands of lines a second.
      else frame ??= requestAnimationFrame(() => { frame = null; if (on) show(); });
    });
    if (!location.hash) set(true);
  }
  log.addEventListener('click', e => e.target.closest('.step>summary')?.parentElement.setAttribute('data-touched', ''));

  // Times and wrapping change at once; the same links work as ?ts=1 and ?wrap=0 without scripts.
  for (const a of document.querySelectorAll('a[data-log]')) a.addEventListener('click', e => {
    e.preventDefault();
    a.querySelector('[data-is]').textContent = log.toggleAttribute('data-' + a.dataset.log) ? a.dataset.on : a.dataset.off;
    // Kept as the server keeps it after a link.
    const chosen = ['ts', 'nowrap', 'plain'].filter(name => log.hasAttribute('data-' + name)).map(name => name[0]).join('');
    document.cookie = `slipway-log=${chosen};path=/;max-age=31536000;samesite=lax${location.protocol === 'https:' ? ';secure' : ''}`;
  });

  // A range of lines: click a number, shift-click another: #s9-L3-L8.
  const parse = hash => hash.match(/^#(s\d+)-L(\d+)(?:-L(\d+))?$/);
  const mark = () => {
    log.querySelectorAll('.sel').forEach(x => x.classList.remove('sel'));
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
    first?.scrollIntoView({ block: 'center' });
  };
  log.addEventListener('click', e => {
    const a = e.target.closest('.ln>a');
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
  // Next and previous line with an error or warning, from the first line on the screen.
  const jump = step => {
    const all = [...log.querySelectorAll('.ln.err,.ln.wrn')], now = all.indexOf(log.querySelector('.ln.sel'));
    const to = all[(now + step + all.length) % all.length];
    if (to) { stop(); history.replaceState(null, '', '#' + to.id); mark(); }
  };
  for (const [id, step] of [['next-mark', 1], ['previous-mark', -1]]) {
    const button = document.getElementById(id);
    button?.addEventListener('click', () => jump(step));
    button?.removeAttribute('hidden');
  }
}
