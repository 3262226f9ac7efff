// A real OpenID provider (npm oidc-provider) for the tests of the sign-in, on a free port of 127.0.0.1.
//
//   node oidc.mjs SECONDS      SECONDS: the time since 1970 that it takes for the present one
//
// Its first line is its issuer. Below /test a test arranges it, always by POST with a JSON body:
//   /test/arrange   { clients?, keys?, seconds?, challenge? }   clients by their metadata; names of the keys that are
//                                    published, the first signs; the present time; whether PKCE must be used
//   /test/sign      { key, header, claims }     a JWT by one of its keys, published or not: what an issuer could be
//                                    brought to sign for others
//   /test/public    { key }          a key's public part, as a JWK and as PEM
import { createPublicKey } from 'node:crypto';
import { createServer } from 'node:http';

import { SignJWT, exportJWK, generateKeyPair, importJWK } from 'jose';
import Provider from 'oidc-provider';

let seconds = Number(process.argv[2]);
Date.now = () => seconds * 1000;

// Who can sign in, by the name that is typed, which is also what the provider calls them.
const ACCOUNTS = {
  anna: { email: 'anna@acme.example', email_verified: true },
  bert: { email: 'bert@acme.example', email_verified: false },
  carl: { email: 'carl@other.example', email_verified: true },
  nemo: { email: 'nobody@acme.example', email_verified: true },
  // Another account that was given Anna's address.
  anna2: { email: 'anna@acme.example', email_verified: true },
};

const keys = {};
for (const name of ['first', 'second', 'third']) {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  keys[name] = { ...(await exportJWK(privateKey)), kid: name, use: 'sig', alg: 'RS256' };
}

let issuer;
let current;
const arranged = { clients: [], keys: ['first'], challenge: true };

function arrange() {
  const provider = new Provider(issuer, {
    clients: arranged.clients,
    jwks: { keys: arranged.keys.map((name) => keys[name]) },
    cookies: { keys: ['a key of the tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    pkce: { required: () => arranged.challenge },
    ttl: { Session: 86_400, Interaction: 3_600, Grant: 86_400, AccessToken: 3_600, IdToken: 3_600, AuthorizationCode: 60 },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, audience) => ({
          scope: 'openid email',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
        useGrantedResource: () => true,
      },
    },
    extraTokenClaims: (_ctx, token) => ACCOUNTS[token.accountId],
    findAccount: (_ctx, id) => ACCOUNTS[id] && { accountId: id, claims: () => ({ sub: id, ...ACCOUNTS[id] }) },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  current = provider.callback();
}

async function told(request) {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text);
}

const acts = {
  '/test/arrange': ({ seconds: now, ...rest }) => {
    seconds = now ?? seconds;
    Object.assign(arranged, rest);
    arrange();
    return {};
  },
  '/test/sign': async ({ key, header, claims }) => {
    const signer = await importJWK(keys[key], 'RS256');
    const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: key, ...header });
    return { token: await jwt.sign(signer) };
  },
  '/test/public': ({ key }) => {
    const { kty, n, e, kid, use, alg } = keys[key];
    const jwk = { kty, n, e, kid, use, alg };
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    return { jwk, pem };
  },
};

const server = createServer(async (request, response) => {
  const act = acts[request.url];
  if (!act) return current(request, response);
  try {
    const answer = JSON.stringify(await act(await told(request)));
    response.setHeader('content-type', 'application/json').end(answer);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  arrange();
  console.log(issuer);
});
// It ends with the test that started it.
process.stdin.on('end', () => process.exit(0)).resume();
