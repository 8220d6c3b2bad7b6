// Jumps in the log of a failed build of very many lines: where each of them ends, and whether it stays there.
//
// Input: { url, step, lines, errors, cookie? }: the build's page, the number of its failed step, how many lines that has, and
// which of them tell of errors. Result: for each jump the line that it was to show and whether that is on the screen.

import { main } from "./lib.mjs";

/** Whether a line is on the screen, and nothing lies over it. */
const isShown = (id) => {
  const line = document.getElementById(id);
  if (!line) return `${id} is not on the page`;
  const { top, bottom, left } = line.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) return `${id} is at ${Math.round(top)} of ${innerHeight}`;
  const over = document.elementFromPoint(left + 100, (top + bottom) / 2);
  return line.contains(over) || `${over?.outerHTML.slice(0, 100)} lies over ${id}`;
};
// Longer than what comes by itself takes.
const CALM = 1500;

async function visit(open, input, options) {
  const { page, problems } = await open(options);
  const id = (line) => `s${input.step}-L${line}`;
  const seen = [];
  const see = async (what, line) => {
    await page.waitForTimeout(CALM);
    seen.push({ what, shown: await page.evaluate(isShown, id(line)) });
  };
  const [first, last] = [input.errors[0], input.errors.at(-1)];

  await page.goto(input.url, { waitUntil: "load" });
  const link = await page.locator("#result a[href^='#s']").first().elementHandle();
  await see("load", last);
  const link_stays = await link.evaluate((element) => element.isConnected);

  await page.keyboard.press("e");
  await see("the end", input.lines);
  // Round the end, through what is not on the page.
  for (const line of [first, last, first]) {
    await page.keyboard.press("n");
    await see("next error", line);
  }
  await page.keyboard.press("p");
  await see("previous error", last);

  for (const line of [first + 2_000, input.lines - 2_500, input.lines - 1_990, 300, input.lines - 30, 1, input.lines]) {
    await page.goto("about:blank");
    await page.goto(`${input.url}#${id(line)}`, { waitUntil: "load" });
    await see(`permalink to ${line}`, line);
  }

  for (const line of [first + 3_000, input.lines - 2_200, input.lines - 40]) {
    await page.goto(`${input.url}?q=${line}`, { waitUntil: "load" });
    await page.locator(".ln.hit>a", { hasText: new RegExp(`^${line}$`) }).click();
    await page.waitForURL(`**#${id(line)}`);
    await see(`hit in ${line}`, line);
  }

  // Who reads upwards reads on where they were, whatever comes above.
  const from = input.lines - 2_500;
  await page.goto("about:blank");
  await page.goto(`${input.url}#${id(from)}`, { waitUntil: "load" });
  await page.waitForTimeout(CALM);
  const read = [];
  for (let turn = 0; turn < 60; turn++) {
    await page.mouse.move(600, 600);
    await page.mouse.wheel(0, -400);
    await page.waitForTimeout(60);
    const number = () => {
      const lines = [...document.querySelectorAll(".chunk .ln")];
      return +lines.find((line) => line.getBoundingClientRect().top > 200)?.firstElementChild.textContent;
    };
    read.push(await page.evaluate(number));
  }
  return { seen, link_stays, read, problems };
}

async function without_scripts(open, input) {
  const { page } = await open({ scripts: false });
  await page.goto(input.url);
  const told = await page.locator("#result").textContent();
  await page.locator("#result a[href^='#s']").first().click();
  await page.waitForTimeout(CALM);
  const id = `s${input.step}-L${input.errors.at(-1)}`;
  const box = await page.locator(`#${id}`).boundingBox();
  await page.locator("#to-end").click();
  await page.waitForTimeout(CALM);
  const end = await page.locator(`#s${input.step}-L${input.lines}`).boundingBox();
  // The address of a number, as somebody else opens it: the line is in a gap of the page.
  const far = `s${input.step}-L${Math.round(input.lines / 3)}`;
  await page.goto(`${input.url}?from=${far}`);
  const address = await page.locator(`#${far} > a`).evaluate((link) => link.href);
  await page.goto("about:blank");
  await page.goto(address);
  await page.waitForTimeout(CALM);
  const line = await page.locator(`#${far}`).boundingBox();
  const there = (place) => Boolean(place) && place.y >= 0 && place.y < 900;
  return { told, error: there(box), end: there(end), permalink: there(line) };
}

await main(async (input, open) => ({
  desk: await visit(open, input, {}),
  phone: await visit(open, input, { phone: true }),
  plain: await without_scripts(open, input),
}));
