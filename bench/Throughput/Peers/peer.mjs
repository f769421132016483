// One peer, measured: node peer.mjs NAME WORK.json. The producer is this process, the worker a fork of it, so that each has a processor of its own.
// It prints {"pids"}, then for each phase {"begins"} and {"ended", "latencies"}; a phase is over when the last of its jobs is.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';

const [, script, name, file] = process.argv;
const work = JSON.parse(readFileSync(file, 'utf8'));
const peer = await import(`./${name}.mjs`);
const now = () => performance.timeOrigin + performance.now();
const say = (what) => console.log(JSON.stringify(what));

if (process.send) await answer();
else await produce();

// The job: one call of the provider, as the queue makes it. node:http, because it costs less than fetch.
async function answer() {
  const agent = new http.Agent({ keepAlive: true });
  const url = new URL(`${work.baseUrl}/chat/completions`);
  const call = (data) => new Promise((resolve, reject) => {
    const body = JSON.stringify({ model: work.model, max_tokens: work.maxTokens, messages: [{ role: 'user', content: data.prompt }] });
    const request = http.request(url, { method: 'POST', agent, headers: { authorization: `Bearer ${work.key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () =>
        response.statusCode === 200 ? resolve(JSON.parse(text).choices[0].message.content) : reject(new Error(`${response.statusCode} ${text}`)));
    });
    request.on('error', reject).end(body);
  });

  let left = 0;
  let latencies = [];
  const done = (data) => {
    latencies.push(now() - data.at);
    if (--left === 0) process.send({ ended: now(), latencies });
  };
  process.on('message', ({ expect }) => { left = expect; latencies = []; process.send({ listening: true }); });
  await peer.work(work, call, done);
  process.send({ ready: true });
}

async function produce() {
  const publisher = await peer.publisher(work);
  const child = fork(script, [name, file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.on('exit', (code) => { console.error(`the worker ended with ${code}`); process.exit(1); });
  await heard(child, 'ready');
  say({ pids: { producer: process.pid, worker: child.pid } });
  for (const phase of work.phases) {
    child.send({ expect: phase.tasks });
    await heard(child, 'listening');
    say({ quiet: true });
    // Whoever measures reads the processors' clocks now.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const ended = heard(child, 'ended');
    const began = now();
    await (phase.rate ? steadily(publisher, phase) : atOnce(publisher, phase));
    const published = now();
    const end = await ended;
    say({ phase: phase.name, ms: end.ended - began, publishedMs: published - began, latencies: phase.rate ? end.latencies.map((x) => Math.round(x * 100) / 100) : [] });
  }
  process.exit(0);
}

const payload = (i) => ({ prompt: `Summarize record ${i} of ${work.run}. ${work.filler}`.slice(0, work.bytes), at: now() });

async function atOnce(publisher, { tasks }) {
  let next = 0;
  await Promise.all(Array.from({ length: work.publishers }, async () => {
    while (next < tasks) await publisher.add(payload(next++));
  }));
}

async function steadily(publisher, { tasks, rate }) {
  const began = now();
  const adding = [];
  for (let i = 0; i < tasks; i++) {
    const wait = began + (i * 1000) / rate - now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    adding.push(publisher.add(payload(i)));
  }
  await Promise.all(adding);
}

function heard(child, what) {
  return new Promise((resolve) => {
    const listen = (message) => { if (what in message) { child.off('message', listen); resolve(message); } };
    child.on('message', listen);
  });
}
