// The same calls through BullMQ: one queue a bucket, BullMQ's own limiter, calls dealt out round-robin.
// BullMQ knows requests, not tokens, so its limiter is told the requests a minute; a 429 is met as BullMQ's documentation has it
// (https://docs.bullmq.io/guide/rate-limiting#manual-rate-limit): the queue rests until Retry-After and the job goes back to wait.
import { readFileSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';

const work = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const connection = { host: '127.0.0.1', port: work.redisPort, maxRetriesPerRequest: null };
let left = work.calls.length;
let began;

async function call(bucket, data, worker) {
  const response = await fetch(`${work.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bucket.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: bucket.model, max_tokens: data.maxTokens, messages: [{ role: 'user', content: data.prompt }] }),
  });
  const body = await response.text();
  if (response.status === 429) {
    const exact = /try again in ([0-9.]+)(ms|s)/.exec(body);
    const wait = exact ? Number(exact[1]) * (exact[2] === 's' ? 1000 : 1) : Number(response.headers.get('retry-after') ?? 1) * 1000;
    await worker.rateLimit(Math.max(1, Math.ceil(wait)));
    throw Worker.RateLimitError();
  }
  if (!response.ok) throw new Error(`${response.status} ${body}`);
  return JSON.parse(body).usage.total_tokens;
}

const queues = work.buckets.map((_, i) => new Queue(`bucket-${i}`, { connection }));
const workers = work.buckets.map((bucket, i) => {
  const worker = new Worker(`bucket-${i}`, (job) => call(bucket, job.data, worker), {
    connection, autorun: false, concurrency: 64, limiter: { max: bucket.requestsPerMinute, duration: 60_000 },
    maxStalledCount: 1000,
  });
  worker.on('completed', () => { if (--left === 0) finish(); });
  worker.on('failed', (job, error) => { console.error(`job ${job?.id} failed: ${error.message}`); if (--left === 0) finish(); });
  return worker;
});

function finish() {
  console.log(`drained in ${performance.now() - began} ms`);
  process.exit(0);
}

await Promise.all(queues.map((queue) => queue.waitUntilReady()));
began = performance.now();
workers.forEach((worker) => void worker.run());
await Promise.all(queues.map((queue, i) => queue.addBulk(
  work.calls.filter((_, n) => n % queues.length === i).map((data) => ({ name: 'call', data, opts: { removeOnComplete: true, attempts: 1 } })))));
