// Lets a token expire under npm graphql-ws and prints how the client came back, as JSON.
// node reconnect.mjs URL
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url] = process.argv.slice(2);
let connections = 0;
let closedWith = null;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: () => ({ authorization: connections++ === 0 ? 'Bearer short' : 'Bearer user' }),
  retryAttempts: 3,
  retryWait: async () => {},
  on: { closed: ({ code }) => (closedWith ??= code) },
});
const events = [];
for await (const { data } of client.iterate({ query: 'subscription { forever }' })) {
  events.push(data.forever);
  if (events.length === 2) break;
}
await client.dispose();
console.log(JSON.stringify({ closedWith, connections, events }));
