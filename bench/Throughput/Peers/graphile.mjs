// graphile-worker as its documentation has it for throughput (https://worker.graphile.org/docs/performance): 24 jobs at once, a local queue of 500,
// completions in batches. Its add_job returns once the job's row is committed.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const logger = new Logger(() => (level, message) => { if (level === 'error') console.error(message); });

export async function publisher(work) {
  const utils = await makeWorkerUtils({ connectionString: work.database, maxPoolSize: work.publishers, logger });
  await utils.migrate();
  return { add: (data) => utils.addJob('call', data) };
}

export async function work(work, call, done) {
  const runner = await run({
    preset: {
      worker: { connectionString: work.database, concurrentJobs: work.atOnce ?? 24, maxPoolSize: (work.atOnce ?? 24) + 1, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0, logger },
    },
    taskList: { call: async (data) => { await call(data); } },
  });
  runner.events.on('job:failed', ({ error }) => { throw error; });
  runner.events.on('job:complete', ({ job }) => done(job.payload));
}
