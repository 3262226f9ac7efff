// Subscribes, queries and mutates with npm graphql-ws and prints what came back as JSON.
// node subscribe.mjs URL AUTHORIZATION
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, authorization] = process.argv.slice(2);
const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: { authorization }, retryAttempts: 0 });

async function all(query) {
  const answers = [];
  for await (const answer of client.iterate({ query })) answers.push(answer);
  return answers;
}

const counted = (await all('subscription { count(to: 3) }')).map(({ data }) => data.count);
const [{ data: { me } }] = await all('{ me }');
const [{ data: { bump: bumped } }] = await all('mutation { bump }');
const refused = await all('subscription { nothing }').catch((errors) => errors[0].extensions.code);
const endless = client.iterate({ query: 'subscription { forever }' });
const { value } = await endless.next();
await endless.return();
await client.dispose();
console.log(JSON.stringify({ counted, me, bumped, refused, firstOfEndless: value.data.forever }));
