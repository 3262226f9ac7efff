// BullMQ: adds jobs in bulk, then drains them at concurrency 100: node bullmq.mjs REDIS_URL COUNT
// Prints jobs added and jobs drained per second.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const [url, text] = process.argv.slice(2);
const count = Number(text);
const connect = () => new Redis(url, { maxRetriesPerRequest: null });
const queue = new Queue("bench", {
  connection: connect(),
  defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
});
await queue.waitUntilReady();
await queue.obliterate({ force: true });

const job = (n) => ({ name: "job", data: { n } });
let began = performance.now();
for (let first = 0; first < count; first += 1000) {
  const size = Math.min(1000, count - first);
  await queue.addBulk(Array.from({ length: size }, (_, n) => job(first + n)));
}
const added = count / ((performance.now() - began) / 1000);

const seen = new Uint8Array(count);
let done = 0;
began = performance.now();
const worker = new Worker(
  "bench",
  async ({ data }) => {
    seen[data.n] += 1;
  },
  { connection: connect(), concurrency: 100 },
);
await new Promise((finished) => {
  worker.on("completed", () => {
    done += 1;
    if (done === count) finished();
  });
});
const drained = count / ((performance.now() - began) / 1000);
if (!seen.every((times) => times === 1)) throw new Error("a job was lost or doubled");
console.log(added.toFixed(0), drained.toFixed(0));
await worker.close();
await queue.close();
process.exit(0);
