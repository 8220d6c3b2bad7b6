// Brings a page up to date while a build is open that it tells of: what it says is loaded anew with each change.
const main = () => document.getElementById('main');
const url = main().dataset.follows;

/** Which builds there are, and how they are. */
const states = html => [...html.matchAll(/id="build-(\d+)" data-state="(\w+)"/g)].map(([, number, state]) => `${number} ${state}`);
const isBusy = () => Boolean(main().querySelector(':popover-open')) || (main().contains(document.activeElement) && document.activeElement !== main());

/** `before` and `after` are called when parts of the page are replaced. */
export function follow(before, after) {
  if (!url) return;
  const stream = new EventSource(url);
  let known = null, turn = 0;
  stream.addEventListener('message', async e => {
    const now = states(e.data), text = now.join();
    const isOver = !now.some(state => /queued|running/.test(state));
    // The page may have been drawn before the end that the first message tells.
    const isNew = known === null ? isOver : known !== text;
    known = text;
    if (isOver) stream.close();
    if (!isNew) return;
    const mine = ++turn;
    // Nobody loses an open menu, or what they type.
    while (isBusy()) await new Promise(done => setTimeout(done, 1000));
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok || mine !== turn) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    before();
    for (const part of ['#main', '.tabs']) {
      const [here, there] = [document.querySelector(part), fresh.querySelector(part)];
      if (here && there) here.replaceWith(document.adoptNode(there));
    }
    after();
  });
}
