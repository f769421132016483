// BullMQ on a redis-server that syncs its log to the disk before it answers (appendfsync always), so that an added job is durable as the others' are.
import { Queue, Worker } from 'bullmq';

const connection = (work) => ({ host: '127.0.0.1', port: work.redisPort, maxRetriesPerRequest: null });

export async function publisher(work) {
  const queue = new Queue('call', { connection: connection(work), defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  return { add: (data) => queue.add('call', data) };
}

export async function work(work, call, done) {
  const worker = new Worker('call', async (job) => { await call(job.data); }, { connection: connection(work), concurrency: 64 });
  worker.on('completed', (job) => done(job.data));
  worker.on('failed', (job, error) => { throw error; });
  await worker.waitUntilReady();
}
