// pg-boss with what its documentation offers for throughput: batches, several loops, fetching on while batches are full. LISTEN/NOTIFY stays off, as by default: commits that notify
// wait for each other, and 64 producers would be slowed to one flush of the disk after another; the price is a latency of up to a poll, half a second.
// Jobs count as done when their handler is, which is a little before their rows are: in its favour.
import { PgBoss } from 'pg-boss';

const queue = 'call';

async function start(work, max) {
  const boss = new PgBoss({ connectionString: work.database, max });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  return boss;
}

export async function publisher(work) {
  const boss = await start(work, work.publishers);
  await boss.createQueue(queue);
  return { add: (data) => boss.send(queue, data) };
}

export async function work(work, call, done) {
  const boss = await start(work, 10);
  await boss.work(queue, { batchSize: 32, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true, priority: false }, async (jobs) => {
    await Promise.all(jobs.map((job) => call(job.data)));
    jobs.forEach((job) => done(job.data));
  });
}
