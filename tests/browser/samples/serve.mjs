// Serves the sample pages of the server's tests with the real CSP, and a stream that can be cut.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const samples = process.env.SLIPWAY_SAMPLES;
if (!samples) throw new Error('SLIPWAY_SAMPLES names the folder that the sample pages were written to');
const dist = path.join(import.meta.dirname, '../../../static/dist');
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'";
const types = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };

/** `routes` maps the end of a path to a handler; everything else is a sample or an asset. */
export async function serve(routes = {}) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const route = Object.keys(routes).find(end => url.pathname.endsWith(end));
    if (route) return routes[route](request, response, url);
    const asset = url.pathname.match(/^\/assets\/[^/]+\/([\w.-]+)$/)?.[1];
    const file = asset ? path.join(dist, asset) : path.join(samples, path.basename(url.pathname) + '.html');
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    const type = asset ? types[asset.split('.').pop()] : 'text/html; charset=utf-8';
    response.writeHead(200, { 'content-type': type, 'content-security-policy': csp }).end(fs.readFileSync(file));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  return { base: `http://127.0.0.1:${server.address().port}/`, browser, end: async () => { await browser.close(); server.closeAllConnections(); server.close(); } };
}

let failed = 0;
export function ok(what, good, seen = '') {
  if (!good) { failed++; console.log('FAILED', what, seen); }
}
export function finish(what) {
  console.log(failed ? `${failed} problems in ${what}` : `${what}: no problem`);
  process.exitCode = failed ? 1 : 0;
}
