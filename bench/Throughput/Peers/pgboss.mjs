// pg-boss with what its documentation offers for throughput: batches, several loops, LISTEN/NOTIFY in place of waiting for the next poll, fetching on while batches are full.
// Jobs count as done when their handler is, which is a little before their rows are: in its favour.
import { PgBoss } from 'pg-boss';

const queue = 'call';

async function start(work, max) {
  const boss = new PgBoss({ connectionString: work.database, max, useListenNotify: true });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  return boss;
}

export async function publisher(work) {
  const boss = await start(work, work.publishers);
  await boss.createQueue(queue, { notify: true });
  return { add: (data) => boss.send(queue, data) };
}

export async function work(work, call, done) {
  const boss = await start(work, 10);
  await boss.work(queue, { batchSize: 32, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true, priority: false }, async (jobs) => {
    await Promise.all(jobs.map((job) => call(job.data)));
    jobs.forEach((job) => done(job.data));
  });
}
