// What runs shows for how long, second by second; the server says it anew now and then.
const clocks = new WeakMap();

/** `58s`, `1m 04s`, `2h 05m` in seconds. */
function seconds(text) {
  const parts = [...text.matchAll(/(\d+)([hms])/g)];
  return parts.length ? parts.reduce((all, [, n, unit]) => all + n * { h: 3600, m: 60, s: 1 }[unit], 0) : null;
}

/** As the server writes it. */
function written(secs) {
  const two = n => String(n).padStart(2, '0');
  if (secs < 60) return `${secs}s`;
  if (secs < 3600) return `${Math.floor(secs / 60)}m ${two(secs % 60)}s`;
  return `${Math.floor(secs / 3600)}h ${two(Math.floor(secs / 60) % 60)}m`;
}

function tick() {
  for (const place of document.querySelectorAll('[data-runs]')) {
    let clock = clocks.get(place);
    if (clock?.shown !== place.textContent) {
      const secs = seconds(place.textContent);
      if (secs === null) continue;
      clock = { since: performance.now() - secs * 1000 };
      clocks.set(place, clock);
    }
    clock.shown = written(Math.floor((performance.now() - clock.since) / 1000));
    place.textContent = clock.shown;
  }
}

setInterval(tick, 1000);
tick();
