// Drives a real browser by commands, one JSON object per line, and answers each with what the page then shows.
// node walk.mjs BROWSER WIDTH HEIGHT
import { createInterface } from 'node:readline';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const [executablePath, width, height] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
// axe needs a context of its own.
const context = await browser.newContext({ viewport: { width: Number(width), height: Number(height) } });
const page = await context.newPage();
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
  press: async ({ selector }) => {
    await Promise.all([page.waitForNavigation(), page.locator(selector).first().click()]);
  },
  // Waits until the page no longer shows pending work.
  settle: () => page.locator('[data-muster-wait]').waitFor({ state: 'detached', timeout: 60_000 }),
  // Waits until the live region says this.
  see: async ({ text }) => {
    await page.locator('[role="status"]', { hasText: text }).waitFor();
  },
  // Rules of WCAG 2.2 AA that the page breaks.
  axe: async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  },
  // What the keyboard reaches, in its order, each with a visible focus.
  tab: async () => {
    const reached = [];
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      const name = await focused();
      if (name === null || reached.includes(name)) break;
      reached.push(name);
    }
    return reached;
  },
  // Goes on with the keyboard alone: to what has this name, and there presses a key.
  key: async ({ name, key }) => {
    for (let presses = 0; (await focused()) !== name; presses += 1) {
      if (presses === 60) throw new Error(`the keyboard does not reach ${name}`);
      await page.keyboard.press('Tab');
    }
    if (key === 'Enter') await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
    else if (key.length === 1) await page.keyboard.press(key === ' ' ? 'Space' : key);
    else await page.keyboard.type(key);
  },
  screenshot: ({ path }) => page.screenshot({ path, fullPage: true }),
};

// What has the focus: the name and value of a control, or the text of a link or button.
async function focused() {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    if (getComputedStyle(element).outlineStyle === 'none') return `${element.outerHTML} has no visible focus`;
    const isChosen = ['radio', 'checkbox', 'submit'].includes(element.type) && element.name;
    if (isChosen) return `${element.name}=${element.value}`;
    return element.name || element.innerText;
  });
}

async function shown() {
  await page.waitForLoadState();
  return page.evaluate(() => {
    const marked = (name) => document.querySelector(`[${name}]`)?.getAttribute(name) ?? null;
    const fields = [...document.querySelectorAll('input[name], textarea[name]')].map(({ name, value }) => [name, value]);
    return {
      url: location.href,
      language: document.documentElement.lang,
      title: document.querySelector('h1')?.innerText ?? document.title,
      text: document.body.innerText,
      code: marked('data-muster-code'),
      state: marked('data-muster-state'),
      status: document.querySelector('[role="status"]')?.innerText ?? null,
      landing: document.querySelector('a[data-muster-landing]')?.href ?? null,
      fields: Object.fromEntries(fields),
    };
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  let error = null;
  let result = null;
  try {
    result = (await commands[command](rest)) ?? null;
  } catch (failure) {
    error = String(failure);
  }
  // What a navigation returns is no result.
  if (!Array.isArray(result)) result = null;
  console.log(JSON.stringify({ error, result, problems: problems.splice(0), ...(await shown()) }));
}
await browser.close();
