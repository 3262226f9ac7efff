// Bundles GraphiQL into dist/: one page, one style sheet, and a script for each thread.
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';

// What is left out: monaco's styles come with GraphiQL's own, and fonts are kept in Latin script only.
const slim = {
  name: 'slim',
  setup({ onLoad }) {
    onLoad({ filter: /monaco-editor.*\.css$/ }, () => ({ contents: '', loader: 'css' }));
    onLoad({ filter: /graphiql.dist.style\.css$/ }, async ({ path }) => {
      const styles = await readFile(path, 'utf8');
      const faces = /@font-face\s*\{[^}]*\}/g;
      const kept = (face) => !face.includes('unicode-range') || /U\+0?0?00-0?0?FF/i.test(face);
      return { contents: styles.replace(faces, (face) => (kept(face) ? face : '')), loader: 'css' };
    });
  },
};

const shared = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [slim],
  loader: { '.ttf': 'file', '.woff': 'file', '.woff2': 'file' },
  assetNames: '[name]',
  entryNames: '[name]',
  chunkNames: 'chunk-[hash]',
  outdir: 'dist',
};

await rm('dist', { recursive: true, force: true });
await mkdir('dist');
const outputs = await Promise.all([
  build({ ...shared, entryPoints: { main: 'src/main.jsx' }, jsx: 'automatic', splitting: true }),
  build({
    ...shared,
    entryPoints: {
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
  }),
]);
await copyFile('src/index.html', 'dist/index.html');

// The licences of whatever ended up in a bundle.
const folders = new Set();
for (const { metafile } of outputs) {
  for (const [input, { bytes }] of Object.entries(metafile.inputs)) {
    const found = input.match(/^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found && bytes > 0) folders.add(input.slice(0, found.index + found[0].length));
  }
}
const notices = [];
for (const folder of [...folders].sort()) {
  const { name, version, license } = JSON.parse(await readFile(`${folder}package.json`, 'utf8'));
  const texts = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license', 'License.txt', 'LICENCE'];
  let text = '';
  for (const file of texts) {
    text ||= await readFile(`${folder}${file}`, 'utf8').catch(() => '');
  }
  notices.push({ heading: `${name} ${version} (${license})`, text: text.trim().replaceAll('\r\n', '\n') });
}
const list = notices.map(({ heading }) => `- ${heading}`).join('\n');
const byText = new Map();
for (const { heading, text } of notices) {
  if (text) byText.set(text, [...(byText.get(text) ?? []), heading]);
}
const bodies = [...byText].map(([text, headings]) => `${headings.join('\n')}\n\n${text}\n`).join(`\n${'-'.repeat(72)}\n\n`);
await writeFile('dist/NOTICE', `GraphiQL as served by muster contains these packages:\n\n${list}\n\n${'='.repeat(72)}\n\n${bodies}`);
