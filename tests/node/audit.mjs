// Runs the GraphQL-over-HTTP audits of npm graphql-http against a server and prints every result as JSON.
// node audit.mjs URL
import { auditServer } from 'graphql-http';

const url = process.argv[2];
const results = await auditServer({ url, fetchFn: fetch });
const plain = results.map(({ id, name, status, reason }) => ({ id, name, status, reason }));
console.log(JSON.stringify(plain));
process.exit(plain.every(({ status }) => status === 'ok') ? 0 : 1);
