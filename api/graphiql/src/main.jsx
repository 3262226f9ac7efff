// The page at /graphiql. Everything it needs comes from the same origin; its settings come from the JSON
// element that the server fills in.
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { createClient } from 'graphql-ws';
import 'graphiql/style.css';
import './page.css';

const WORKERS = { graphql: 'graphql', json: 'json' };

globalThis.MonacoEnvironment = {
  getWorker: (_module, label) =>
    new Worker(`/graphiql/${WORKERS[label] ?? 'editor'}.worker.js`, { type: 'module', name: label }),
};

const settings = JSON.parse(document.getElementById('settings').textContent);
const prefilled = Object.keys(settings.headers).length > 0 ? JSON.stringify(settings.headers, null, 2) : '';

function socketAddress() {
  const address = new URL(settings.subscriptionUrl, location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return address.href;
}

const overHttp = createGraphiQLFetcher({ url: new URL(settings.url, location.href).href, enableIncrementalDelivery: false });

// A client for each set of headers, since connection_init is sent once. A refusal (4403) is final until the
// headers change, so that a wrong token shows its error instead of being tried again and again.
let socket = null;
function socketFor(headers) {
  const key = JSON.stringify(headers);
  if (socket?.key !== key) {
    socket?.client.dispose();
    const client = createClient({
      url: socketAddress(),
      connectionParams: headers,
      lazyCloseTimeout: 5_000,
      shouldRetry: (closed) => closed?.code !== 4403,
    });
    socket = { key, client };
  }
  return socket.client;
}

function isSubscription({ operationName }, documentAST) {
  const operations = documentAST?.definitions.filter(({ kind }) => kind === 'OperationDefinition') ?? [];
  const chosen = operations.find(({ name }) => !operationName || name?.value === operationName);
  return chosen?.operation === 'subscription';
}

function fetcher(params, options) {
  if (!isSubscription(params, options?.documentAST)) {
    return overHttp(params, options);
  }
  const client = socketFor(options?.headers ?? {});
  return {
    subscribe: (observer) => ({ unsubscribe: client.subscribe(params, observer) }),
  };
}

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={settings.tabs.map((tab) => ({ ...tab, headers: prefilled }))}
    initialHeaders={prefilled}
    defaultHeaders={prefilled}
    defaultEditorToolsVisibility={prefilled ? 'headers' : true}
    shouldPersistHeaders={false}
    isHeadersEditorEnabled
  />,
);
