// Follows the progress of a connection. Without this script, the link "Refresh" shows it.
const status = document.querySelector('[role="status"]');
const checks = document.querySelector('[data-muster-checks]');
const events = new EventSource('/connect/progress/events');

events.addEventListener('status', ({ data }) => {
  if (status.textContent !== data) status.textContent = data;
});
events.addEventListener('begin', () => checks.replaceChildren());
events.addEventListener('check', ({ data }) => {
  const line = document.createElement('li');
  line.textContent = data;
  checks.append(line);
});
events.addEventListener('done', async () => {
  events.close();
  const response = await fetch('/connect/progress');
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  if (page.querySelector('[data-muster-wait]')) {
    location.reload();
    return;
  }
  document.title = page.title;
  document.querySelector('main').replaceWith(page.querySelector('main'));
  const heading = document.querySelector('h1');
  heading.tabIndex = -1;
  heading.focus();
});
