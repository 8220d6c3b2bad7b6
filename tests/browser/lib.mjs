// What every browser script here shares: start Chromium, watch for problems, run axe, take a picture.
//
// A script is `main(async (input) => { ...; return result; })`: it reads JSON from its standard
// input and prints JSON, so that the Rust tests can call it like a function.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);

// As root Chromium has no sandbox of its own. The other flags keep it from calling home:
// the tests see loopback and nothing else.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
];

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESK = { viewport: { width: 1280, height: 900 } };

/**
 * Opens a browser with one empty page.
 *
 * `options`: `dark`, `phone`, `scripts: false` (no JavaScript), `context` (more for Playwright's `newContext`).
 * The answer holds `browser`, `context`, `page` and `problems`, a list that grows by itself with
 * console errors, uncaught exceptions, violations of the content security policy and answers of 500 and above.
 */
export async function open(options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const context = await browser.newContext({
    ...(options.phone ? PHONE : DESK),
    colorScheme: options.dark ? "dark" : "light",
    reducedMotion: "reduce",
    javaScriptEnabled: options.scripts ?? true,
    ...options.context,
  });
  context.setDefaultTimeout(options.timeout ?? 15_000);
  const problems = [];
  context.on("page", (page) => watch(page, problems));
  const page = await context.newPage();
  return { browser, context, page, problems };
}

function watch(page, problems) {
  const add = (kind, text) => problems.push({ kind, text, page: page.url() });
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    // Chromium reports a violation of the content security policy as an error on the console.
    const text = message.text();
    add(/content security policy/i.test(text) ? "csp" : "console", text);
  });
  page.on("pageerror", (error) => add("exception", String(error)));
  page.on("response", (response) => {
    if (response.status() >= 500) add("status", `${response.status()} ${response.url()}`);
  });
}

/** Runs axe on the page as it is now; the answer lists the violations, shortened. */
export async function axe(page, options = {}) {
  // Evaluated by the debugger, so the page's content security policy stays as strict as it is.
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const report = await page.evaluate((given) => globalThis.axe.run(document, given), {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    ...options,
  });
  return report.violations.map(({ id, impact, help, nodes }) => ({
    id,
    impact,
    help,
    nodes: nodes.map((node) => `${node.target.join(" ")}: ${node.html.slice(0, 160)}`),
  }));
}

/** A picture of the whole page. */
export async function shot(page, path) {
  await page.evaluate(() => document.fonts?.ready.then(() => true)).catch(() => {});
  await page.screenshot({ path, fullPage: true, animations: "disabled" });
}

/** True if the page can be scrolled sideways, which none of ours should. */
export function overflows(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

/**
 * Reads the input, runs `body`, prints its result as the last line, and always closes the browsers it opened
 * (`body` gets `open` with that promise as its second argument).
 */
export async function main(body) {
  const opened = [];
  const remember = async (options) => {
    const session = await open(options);
    opened.push(session.browser);
    return session;
  };
  try {
    const text = process.stdin.isTTY ? "" : readFileSync(0, "utf8");
    const result = await body(text.trim() ? JSON.parse(text) : {}, remember);
    console.log(JSON.stringify(result ?? null));
  } catch (error) {
    console.error(error?.stack ?? String(error));
    process.exitCode = 1;
  } finally {
    await Promise.all(opened.map((browser) => browser.close().catch(() => {})));
  }
}
