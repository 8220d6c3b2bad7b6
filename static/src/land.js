// Keeps a line of the log where it was put, while what is above it gets its height: browsers guess the height of what they
// have not drawn yet, and lines come in the place of gaps.
let turn = 0, landing = false;

/** Scrolls until nothing moves any more, or the reader does. `aim` scrolls, and answers by how much. */
function settle(aim) {
  const mine = ++turn;
  let calm = 0, frames = 0;
  const frame = () => {
    if (mine !== turn) return;
    calm = Math.abs(aim()) < 1 ? calm + 1 : 0;
    landing = calm < 6 && ++frames < 90;
    if (landing) requestAnimationFrame(frame);
  };
  frame();
}

/** Brings a line to the screen. */
export function land(line, block = 'center') {
  settle(() => {
    const before = scrollY;
    line.scrollIntoView({ block });
    return scrollY - before;
  });
}

/** Changes the page, and leaves a line where it is on the screen. */
export function hold(line, change) {
  // A line that is on its way to the screen goes on.
  const top = landing ? null : line?.getBoundingClientRect().top;
  change();
  if (top != null) settle(() => {
    const off = line.getBoundingClientRect().top - top;
    scrollBy(0, off);
    return off;
  });
}

const release = () => { turn++; landing = false; };
for (const event of ['wheel', 'touchmove', 'pointerdown', 'keydown']) addEventListener(event, release, { passive: true, capture: true });
