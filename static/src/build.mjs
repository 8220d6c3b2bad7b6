// Makes ../dist from the sources here and the npm packages. The output is committed, so cargo needs no Node.
//
// app.css   Primer and app.css, without the rules that no page uses
// app.js    loaded on every page
// live.js   htmx, hx-sse, live.js and what it imports in one file: as two deferred scripts they race, and the stream may never start (htmx#3693)
import * as esbuild from 'esbuild';
import { PurgeCSS } from 'purgecss';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

process.chdir(import.meta.dirname);
const dist = '../dist';
fs.rmSync(dist, { recursive: true, force: true });
fs.mkdirSync(dist, { recursive: true });

const files = (folder, end) => fs.readdirSync(folder, { recursive: true }).filter(f => f.endsWith(end)).map(f => path.join(folder, f));
const pages = [...files('../../templates', '.html'), ...files('../../server/src/web/views', '.rs'), ...files('../../server/src/web/ansi', '.rs'), ...fs.readdirSync('.').filter(f => f.endsWith('.js'))].map(f => fs.readFileSync(f, 'utf8'));

function write(name, text) {
  const bytes = Buffer.from(text);
  fs.writeFileSync(path.join(dist, name), bytes);
  const packed = zlib.gzipSync(bytes, { level: 9 });
  fs.writeFileSync(path.join(dist, name + '.gz'), packed);
  console.log(name.padEnd(16), String(bytes.length).padStart(7), 'bytes', String(packed.length).padStart(7), 'gzip');
}

const bundle = async (entry, format) => (await esbuild.build({ entryPoints: [entry], bundle: true, minify: true, write: false, format, target: 'es2022', logLevel: 'error' })).outputFiles[0].text;

const whole = await bundle('bundle.css') + fs.readFileSync('app.css', 'utf8');
const [purged] = await new PurgeCSS().purge({
  content: pages.map(raw => ({ raw, extension: 'html' })),
  css: [{ raw: whole }],
  variables: true,
  keyframes: true,
  fontFace: true,
  safelist: { standard: [/^data-/, /^[ad]\d+$/], variables: [/^--ansi/] },
  defaultExtractor: text => text.match(/[\w-/:.]+(?<!:)/g) || [],
});
write('app.css', (await esbuild.transform(purged.css, { loader: 'css', minify: true })).code);

write('app.js', await bundle('app.js', 'esm'));
const htmx = ['htmx.min.js', 'ext/hx-sse.min.js'].map(f => fs.readFileSync('node_modules/htmx.org/dist/' + f, 'utf8').replace(/\n?\/\/# sourceMappingURL.*/, ''));
write('live.js', [...htmx, await bundle('live.js', 'iife')].join(';\n'));

// Every icon that a template or page struct names in quotes, as "tag-16".
const icons = new Set(pages.flatMap(text => text.match(/(?<=["'#])[a-z][a-z-]+-16(?=["'])/g) ?? []));
const symbols = [...icons].sort().map(name => {
  const file = `node_modules/@primer/octicons/build/svg/${name}.svg`;
  return fs.readFileSync(file, 'utf8').replace(/<svg[^>]*>/, `<symbol id="${name}" viewBox="0 0 16 16">`).replace('</svg>', '</symbol>');
});
write('octicons.svg', `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>\n`);

// The logo, and the same with a mark of the build's state for the tab.
const ship = fill => `<path fill="${fill}" d="M16 2 29 9v14l-13 7L3 23V9zM6 11.6v9.7l8.5 4.6v-9.7zm20 0-8.5 4.6v9.7l8.5-4.6zM16 5.4 7.6 9.9 16 14.4l8.4-4.5z"/>`;
const logo = mark => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ship('#0969da')}${mark}</svg>\n`;
const mark = (fill, shape) => logo(`<circle cx="23" cy="23" r="9" fill="${fill}" stroke="#fff" stroke-width="1.5"/><path fill="none" stroke="#fff" stroke-width="2.5" d="${shape}"/>`);
write('logo.svg', logo(''));
write('logo-running.svg', mark('#9a6700', 'M23 18v5h4'));
write('logo-succeeded.svg', mark('#1a7f37', 'm19 23 3 3 5-6'));
write('logo-failed.svg', mark('#cf222e', 'm20 20 6 6m0-6-6 6'));

const used = JSON.parse(fs.readFileSync('package.json')).dependencies;
const licence = name => fs.readFileSync('node_modules/' + name + '/' + fs.readdirSync('node_modules/' + name).find(f => /^licen[cs]e/i.test(f)), 'utf8').trim();
const kinds = Object.keys(used).map(name => ({ name, version: used[name], kind: JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).license, text: licence(name) }));
fs.writeFileSync('../LICENSES.md', `# Licences of what \`dist/\` contains

Written by \`src/build.mjs\`.

| package | version | licence |
|---|---|---|
${kinds.map(k => `| ${k.name} | ${k.version} | ${k.kind} |`).join('\n')}

The GitHub mark among the icons is a trademark of GitHub; the pages use it for signing in with GitHub and for links to GitHub only.
${kinds.map(k => `\n## ${k.name}\n\n${k.text.replace(/^/gm, '    ').replace(/ +$/gm, '')}\n`).join('')}`);
