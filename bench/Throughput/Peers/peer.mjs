// One peer, measured: node peer.mjs NAME WORK.json. The producer is this process, the worker a fork of it, so that each has a processor of its own.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';

const [, script, name, file] = process.argv;
const work = JSON.parse(readFileSync(file, 'utf8'));
const peer = await import(`./${name}.mjs`);
const now = () => performance.timeOrigin + performance.now();

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
  // The producer is killed when all is measured; nothing of it stays behind.
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ expect }) => { left = expect; latencies = []; process.send({ listening: true }); });
  await peer.work(work, call, done);
  process.send({ ready: true });
}

// Asked over HTTP: POST {"run", "tasks", "rate"} is answered when the last of those jobs is done; rate 0 is as fast as can be.
async function produce() {
  const publisher = await peer.publisher(work);
  const child = fork(script, [name, file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.on('exit', (code) => { console.error(`the worker ended with ${code}`); process.exit(1); });
  await heard(child, 'ready');
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const phase = JSON.parse(text);
    child.send({ expect: phase.tasks });
    await heard(child, 'listening');
    const ended = heard(child, 'ended');
    const began = now();
    await (phase.rate ? steadily(publisher, phase) : atOnce(publisher, phase));
    const { ended: end, latencies } = await ended;
    response.end(JSON.stringify({ ms: end - began, latencies: phase.rate ? latencies : [] }));
  });
  server.requestTimeout = 0;
  server.listen(work.port, '127.0.0.1', () => console.log(JSON.stringify({ listening: true, producer: process.pid, worker: child.pid })));
}

const payload = (i, { run }) => ({ prompt: `Summarize record ${i} of ${run}. ${work.filler}`.slice(0, work.bytes), at: now() });

async function atOnce(publisher, phase) {
  let next = 0;
  await Promise.all(Array.from({ length: work.publishers }, async () => {
    while (next < phase.tasks) await publisher.add(payload(next++, phase));
  }));
}

async function steadily(publisher, phase) {
  const began = now();
  const adding = [];
  for (let i = 0; i < phase.tasks; i++) {
    const wait = began + (i * 1000) / phase.rate - now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    adding.push(publisher.add(payload(i, phase)));
  }
  await Promise.all(adding);
}

function heard(child, what) {
  return new Promise((resolve) => {
    const listen = (message) => { if (what in message) { child.off('message', listen); resolve(message); } };
    child.on('message', listen);
  });
}
