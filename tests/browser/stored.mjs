// What strangers stored, opened in the browser of somebody who is signed in.
//
// Input: { cookie, control, script, addresses }. Result: for each address where the browser ended, what type it showed,
// and whether something was downloaded. `control` is a page of the site on which the script has to work.

import { main } from "./lib.mjs";

await main(async (input, open) => {
  const { context, page } = await open({});
  await context.addCookies([input.cookie]);
  const seen = [];
  for (const address of input.addresses) {
    let downloaded = false;
    page.once("download", (download) => {
      downloaded = true;
      download.cancel().catch(() => {});
    });
    // A download ends the navigation with an error.
    await page.goto("about:blank");
    await page.goto(address, { waitUntil: "load" }).catch(() => {});
    await page.waitForTimeout(700);
    const type = await page.evaluate(() => document.contentType);
    seen.push({ address, at: page.url(), type, downloaded });
  }
  // Evaluated by the debugger, past the page's content security policy: the script itself is a good one.
  await page.goto(input.control, { waitUntil: "load" });
  const title = await page.title();
  await page.evaluate(input.script);
  await page.waitForTimeout(700);
  return { seen, title };
});
