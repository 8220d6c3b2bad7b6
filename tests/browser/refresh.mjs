// Pages of a repository that stay open while its first build runs to its end.
//
// Input: { overview, tags }: their addresses. Result: what each page says of its tags before and after the end, whether it was
// loaded again as a whole, and how the overview was while somebody had the focus on a link in it.

import { main } from "./lib.mjs";

const tags = (page) => page.locator("#count-tags").first().textContent();
const until = (page, text) =>
  page.waitForFunction((text) => document.getElementById("main").textContent.includes(text), text, { timeout: 60_000 });

await main(async (input, open) => {
  const { context, page: overview, problems } = await open();
  const [list, used] = [await context.newPage(), await context.newPage()];
  const pages = { overview, list, used };
  for (const [name, page] of Object.entries(pages)) {
    await page.goto(name === "list" ? input.tags : input.overview, { waitUntil: "load" });
    await page.evaluate(() => { globalThis.stayed = true; });
  }
  const before = await Promise.all(Object.values(pages).map(tags));
  await used.evaluate(() => document.querySelector("#main a").focus());
  await Promise.all([until(overview, "latest"), until(list, "latest")]);
  // Longer than what comes by itself takes.
  await used.waitForTimeout(2_000);
  const in_use = await tags(used);
  await used.evaluate(() => document.activeElement.blur());
  await until(used, "latest");
  const after = await Promise.all(Object.values(pages).map(tags));
  const stayed = await Promise.all(Object.values(pages).map((page) => page.evaluate(() => globalThis.stayed)));
  return { before, in_use, after, stayed, problems };
});
