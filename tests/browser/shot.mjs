// Pictures of pages: called by script/shot, and by the self-test of the browser fixture.
//
// Input: { url, out, dark?, phone?, axe? }. Result: { title, status, problems, violations, overflows }.

import { axe, main, overflows, shot } from "./lib.mjs";

await main(async (input, open) => {
  const { page, problems } = await open(input);
  const response = await page.goto(input.url, { waitUntil: "load" });
  if (input.out) await shot(page, input.out);
  return {
    title: await page.title(),
    status: response?.status() ?? null,
    overflows: await overflows(page),
    violations: input.axe ? await axe(page) : [],
    problems,
  };
});
