// Three durable steps that do nothing, in DBOS Transact behind an HTTP entry: node dbos.mjs DATABASE_URL PORT
import { createServer } from "node:http";
import { DBOS } from "@dbos-inc/dbos-sdk";

const [url, port] = process.argv.slice(2);
const nothing = async () => {};
const three = DBOS.registerWorkflow(
  async () => {
    await DBOS.runStep(nothing, { name: "one" });
    await DBOS.runStep(nothing, { name: "two" });
    await DBOS.runStep(nothing, { name: "three" });
  },
  { name: "three" },
);

DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl: url,
  systemDatabasePoolSize: 20,
  logLevel: "error",
});
await DBOS.launch();
createServer(async (request, response) => {
  request.resume();
  try {
    await three();
    response.writeHead(200, { "content-length": 0 }).end();
  } catch (error) {
    console.error(error);
    response.writeHead(500, { "content-length": 0 }).end();
  }
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
