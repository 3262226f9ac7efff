// Opens GraphiQL in a browser, runs its query and its subscription, and prints what was seen as JSON.
// node graphiql.mjs URL BROWSER [SCREENSHOT]
import { chromium } from 'playwright-core';

const [url, executablePath, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const problems = [];
const elsewhere = [];
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
page.on('pageerror', (error) => problems.push(String(error)));
const workers = new Set();
const allWorkers = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error(`only these workers came: ${[...workers]}`)), 30_000).unref();
  page.on('worker', (worker) => {
    workers.add(worker.url().match(/(\w+)\.worker\.js/)?.[1]);
    if (workers.size === 3) resolve();
  });
});
allWorkers.catch(() => {});
page.on('request', (request) => {
  const { origin, protocol } = new URL(request.url());
  if (origin !== new URL(url).origin && !['data:', 'blob:'].includes(protocol)) elsewhere.push(request.url());
});

const response = async () => (await page.locator('.graphiql-response .view-lines').innerText()).replaceAll('\u00a0', ' ');
async function responseWith(text) {
  await page.waitForFunction(
    (wanted) => document.querySelector('.graphiql-response .view-lines')?.innerText.replaceAll('\u00a0', ' ').includes(wanted),
    text,
  );
  return response();
}
async function run(operation) {
  await page.locator('button.graphiql-execute-button').click();
  await page.getByRole('menuitem', { name: operation }).click();
}

try {
  await page.goto(url);
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  await page.locator('button.graphiql-execute-button').waitFor();
  await run('Hello');
  const query = await responseWith('"hello"');
  await run('Count');
  const subscription = await responseWith('"count": 3');
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.locator('.graphiql-doc-explorer').getByText('Mutation').first().waitFor();
  const documented = true;
  await allWorkers;
  // The headers are filled in afresh on every visit: they are never kept in the browser.
  await page.reload();
  await page.locator('button.graphiql-execute-button').waitFor();
  await run('Hello');
  const again = await responseWith('"me"');
  if (screenshot) await page.screenshot({ path: screenshot });
  console.log(JSON.stringify({ problems, elsewhere, query, subscription, documented, again, workers: [...workers].sort() }));
} catch (error) {
  if (screenshot) await page.screenshot({ path: screenshot });
  console.error(String(error), JSON.stringify({ problems, elsewhere }));
  process.exitCode = 1;
} finally {
  await browser.close();
}
