// The main job in a browser: Get started → Authorize → Build → live log → ready; then a push, seen on the open page.
//
// Input: { url, repository, dockerfiles, lines, pictures }. `lines` is what the first build prints; whoever calls
// pushes once more after it. Result: what was seen, for the test to judge.

import { axe, main, overflows, shot } from "./lib.mjs";

const LOOKS = [
  { name: "light", colorScheme: "light", width: 1280 },
  { name: "dark", colorScheme: "dark", width: 1280 },
  { name: "phone", colorScheme: "light", width: 390 },
];

/** Axe and a picture of the page as it is, in light, dark and on a phone. */
async function look(page, name, input, looks = LOOKS) {
  const wrong = [];
  for (const { name: kind, colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    // Colours of buttons change over 80 ms.
    await page.waitForTimeout(250);
    for (const violation of await axe(page)) wrong.push({ page: `${name}, ${kind}`, ...violation });
    if (await overflows(page)) wrong.push({ page: `${name}, ${kind}`, id: "wider than the screen" });
    await shot(page, `${input.pictures}/${name}-${kind}.png`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
  return wrong;
}

/** Notes each line of the log as it comes, and that the page was never loaded again. */
const watchLines = () => {
  globalThis.stayed = true;
  globalThis.arrivals = [];
  const note = () => {
    const lines = document.querySelectorAll("#log .ln").length;
    if (lines !== globalThis.arrivals.at(-1)) globalThis.arrivals.push(lines);
  };
  note();
  new MutationObserver(note).observe(document.getElementById("log"), { childList: true, subtree: true });
};

const linesOf = (page) => page.$$eval("#log .ln > span", (all) => all.map((line) => line.textContent));
const command = (page, start) => page.locator(`#result clipboard-copy[value^="${start}"]`).getAttribute("value");

await main(async (input, open) => {
  const { page, problems } = await open();
  let clicks = 0;
  const click = async (role, name) => {
    clicks += 1;
    await page.getByRole(role, { name, exact: true }).click();
  };
  let violations = [];
  const see = async (...args) => violations.push(...(await look(page, ...args)));

  // The consent page is the forge's.
  const ours = (all) => all.filter((problem) => problem.page.startsWith(input.url));

  await page.goto(input.url);
  await see("welcome", input);
  await click("link", "Get started with GitHub");
  await click("button", "Authorize");

  await page.waitForURL("**/new/import");
  const found = {};
  for (const name of Object.keys(input.dockerfiles)) {
    const row = page.locator(".Box-row", { has: page.getByRole("link", { name, exact: true }) });
    found[name] = await row.locator("option").evaluateAll((all) => all.map((option) => option.value));
  }
  await see("import", input);
  await click("button", `Build ${input.repository}`);

  await page.waitForURL("**/-/builds/1");
  await page.evaluate(watchLines);
  await page.locator("#log .ln", { hasText: input.lines[1] }).waitFor();
  const during = await page.locator("#run-icon").getAttribute("data-state");
  await see("building", input, LOOKS.slice(1, 2));
  await page.locator("#run-icon[data-state=succeeded]").waitFor({ timeout: 60_000 });
  const title = await page.title();
  const ready = await page.locator("#ready").textContent();
  const lines = await linesOf(page);
  const arrivals = await page.evaluate(() => globalThis.arrivals);
  const pull = await command(page, "docker pull ");

  // Somebody pushes while the page is open.
  const newer = page.locator("#newer a");
  await newer.waitFor({ timeout: 30_000 });
  await page.locator('#newer svg[aria-label="Succeeded"]').waitFor({ timeout: 60_000 });
  const told = await page.locator("#newer").textContent();
  const stayed = await page.evaluate(() => globalThis.stayed === true);
  await see("ready", input);
  await newer.click();
  await page.waitForURL("**/-/builds/2");
  const facts = await page.locator("#run-summary").textContent();

  return { clicks, found, during, title, ready, lines, arrivals, pull, told, stayed, facts, violations, problems: ours(problems) };
});
