// Loaded on every page; everything works without it.
import './times.js';
import './clocks.js';
import '@github/relative-time-element';
import '@github/clipboard-copy-element';
import { install, uninstall } from '@github/hotkey';
import { follow } from './refresh.js';

// Single-key shortcuts, as data-hotkey on links and buttons that are on the page; they can be switched off (WCAG 2.1.4).
const off = document.getElementById('keys-off');
const keys = () => {
  const silent = localStorage.getItem('keys') === 'off';
  for (const el of document.querySelectorAll('[data-hotkey]')) silent ? uninstall(el) : install(el);
  if (off) off.checked = silent;
};
off?.addEventListener('change', () => { localStorage.setItem('keys', off.checked ? 'off' : 'on'); keys(); });
off?.closest('label').removeAttribute('hidden');
keys();
follow(() => document.querySelectorAll('[data-hotkey]').forEach(el => uninstall(el)), keys);

document.addEventListener('clipboard-copy', e => {
  const use = e.target.querySelector('use'), was = use.getAttribute('href');
  use.setAttribute('href', was.replace('#copy-16', '#check-16'));
  e.target.classList.add('color-fg-success');
  setTimeout(() => { use.setAttribute('href', was); e.target.classList.remove('color-fg-success'); }, 2000);
});

// What a form answers is read first: the flash, or the summary of errors.
document.querySelector('[data-focus]')?.focus();
