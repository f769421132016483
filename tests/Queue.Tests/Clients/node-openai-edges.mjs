// Run beside examples/node's modules by NodeClientsTests: what happens at the edges, as one JSON object.
import OpenAI, { toFile } from 'openai';

const { LLMQUEUE_URL, LIMITED_URL, LLMQUEUE_TOKEN, READ_TOKEN, MODEL, WEBHOOK_BODY, WEBHOOK_HEADERS, WEBHOOK_SECRET } = process.env;
const clientOf = (url, apiKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const client = clientOf(LLMQUEUE_URL, LLMQUEUE_TOKEN);
const body = (more) => ({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 30, model: MODEL, ...more });
const raised = async (act) => { try { await act(); return 'nothing'; } catch (e) { return `${e.constructor.name} ${e.status} ${e.code}`; } };
const keyed = (key, more) => client.chat.completions.create(body(more), { headers: { 'Idempotency-Key': key } });

const result = {};

// Pages: three batches, two at a time, and what comes after one of them.
const file = await client.files.create({ file: await toFile(Buffer.from('no json\n'), 'input.jsonl'), purpose: 'batch' });
const made = [];
for (let i = 0; i < 3; i++) made.push((await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).id);
const listed = [];
for await (const one of client.batches.list({ limit: 2 })) listed.push(one.id);
result.batches = JSON.stringify(listed.slice(0, 3)) === JSON.stringify([...made].reverse());
result.after = (await client.batches.list({ after: made[1], limit: 1 })).data[0].id === made[0];
result.content = Buffer.from(await (await client.files.content(file.id)).arrayBuffer()).toString();

// Tokens as they come, with their count in the last chunk.
let last;
for await (const chunk of await client.chat.completions.create(body({ stream: true, stream_options: { include_usage: true } }))) last = chunk;
result.usage = { choices: last.choices.length, adds: last.usage.prompt_tokens + last.usage.completion_tokens === last.usage.total_tokens };

// Who cannot wait is handed over and comes back for the answer.
const handed = await client.chat.completions.create(body(), { headers: { Prefer: 'respond-async' } });
result.handedOver = { choices: handed.choices.length, named: handed.id.startsWith('chatcmpl-') };
let answer = handed;
while (answer.choices.length === 0) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  answer = await client.chat.completions.retrieve(handed.id);
}
result.cameBackFor = answer.id === handed.id && answer.choices[0].message.content.length > 0;

// The same key: the same answer, or a mistake that is told.
const [first, second] = [await keyed('edge-1'), await keyed('edge-1')];
result.once = first.id === second.id;
const limited = clientOf(LIMITED_URL, LLMQUEUE_TOKEN);
await limited.models.list();
result.raised = {
  keyReused: await raised(() => keyed('edge-1', { max_tokens: 31 })),
  readOnly: await raised(() => clientOf(LLMQUEUE_URL, READ_TOKEN).chat.completions.create(body())),
  tooOften: await raised(() => limited.models.list()),
  severalAnswers: await raised(() => client.chat.completions.create(body({ n: 2 }))),
  logprobs: await raised(() => client.chat.completions.create(body({ logprobs: true }))),
  otherEndpoint: await raised(() => client.batches.create({ input_file_id: file.id, endpoint: '/v1/embeddings', completion_window: '24h' })),
  noWindow: await raised(() => client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '1y' })),
};

// What a batch told its owner, unwrapped by the client with its own reading of the signature.
const event = await client.webhooks.unwrap(WEBHOOK_BODY, JSON.parse(WEBHOOK_HEADERS), WEBHOOK_SECRET);
result.event = { type: event.type, object: event.object, data: event.data.id.startsWith('batch_') };
result.forged = await raised(() => client.webhooks.unwrap(WEBHOOK_BODY + ' ', JSON.parse(WEBHOOK_HEADERS), WEBHOOK_SECRET));

// Who leaves in the middle of an answer: LEFT is looked for by the test.
const stream = await client.chat.completions.create(body({ stream: true, max_tokens: 2000, metadata: { left: 'yes' }, messages: [{ role: 'user', content: 'SLOWLY: tell me of the sea at length.' }] }));
for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
stream.controller.abort();
console.log(JSON.stringify(result));
