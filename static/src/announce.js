// Reads errors aloud as they come, for those who ask for it: the log itself is too fast to be listened to.
import { live, log, onMessage } from './page.js';

const box = document.getElementById('announce'), region = document.getElementById('announced');
const MOST = 3;

if (box && live) {
  box.closest('label').removeAttribute('hidden');
  box.checked = localStorage.getItem('announce') === 'on';
  box.addEventListener('change', () => localStorage.setItem('announce', box.checked ? 'on' : 'off'));
  const known = new WeakSet(log.querySelectorAll('.ln.err'));
  onMessage(() => {
    const fresh = [...log.querySelectorAll('.ln.err')].filter(line => !known.has(line));
    for (const line of fresh) known.add(line);
    if (!box.checked || !fresh.length) return;
    const texts = fresh.slice(0, MOST).map(line => line.querySelector('span').textContent);
    if (fresh.length > MOST) texts.push(`${fresh.length - MOST} more errors`);
    region.textContent = texts.join('. ');
  });
}
