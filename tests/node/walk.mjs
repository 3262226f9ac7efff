// Drives a real browser by commands, one JSON object per line, and answers each with what the page then shows.
// node walk.mjs BROWSER WIDTH HEIGHT
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [executablePath, width, height] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
const page = await browser.newPage({ viewport: { width: Number(width), height: Number(height) } });
page.setDefaultTimeout(20_000);
const problems = [];
page.on('console', (message) => {
  // A refused form has the status of its refusal, which the console reports as an error.
  if (message.type() === 'error' && !message.text().includes('Failed to load resource')) problems.push(message.text());
});
page.on('pageerror', (error) => problems.push(String(error)));
// The vendor's product, which no test has.
await page.route('https://vendor.example/**', (route) => route.fulfill({ contentType: 'text/html', body: '<h1>Settings</h1>' }));

const commands = {
  open: ({ url }) => page.goto(url),
  fill: ({ name, value }) => page.locator(`[name="${name}"]`).fill(value),
  check: ({ name, value }) => page.locator(value ? `[name="${name}"][value="${value}"]` : `[name="${name}"]`).check(),
  press: ({ selector }) => Promise.all([page.waitForNavigation(), page.locator(selector).first().click()]),
  // Waits until the page no longer shows pending work.
  settle: () => page.locator('[data-muster-wait]').waitFor({ state: 'detached', timeout: 60_000 }),
  screenshot: ({ path }) => page.screenshot({ path, fullPage: true }),
};

async function shown() {
  await page.waitForLoadState();
  return page.evaluate(() => {
    const marked = (name) => document.querySelector(`[${name}]`)?.getAttribute(name) ?? null;
    const fields = [...document.querySelectorAll('input[name], textarea[name]')].map(({ name, value }) => [name, value]);
    return {
      url: location.href,
      title: document.querySelector('h1')?.innerText ?? document.title,
      text: document.body.innerText,
      code: marked('data-muster-code'),
      state: marked('data-muster-state'),
      landing: document.querySelector('a[data-muster-landing]')?.href ?? null,
      fields: Object.fromEntries(fields),
    };
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  let error = null;
  try {
    await commands[command](rest);
  } catch (failure) {
    error = String(failure);
  }
  console.log(JSON.stringify({ error, problems: problems.splice(0), ...(await shown()) }));
}
await browser.close();
