// Run beside examples/node's modules by NodeClientsTests: what the client returned and raised, as one JSON object.
import OpenAI, { toFile } from 'openai';

const [url, model, count] = [process.env.LLMQUEUE_URL, process.env.MODEL, 12];
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.LLMQUEUE_TOKEN, maxRetries: 0 });
const raised = async (act) => { try { await act(); return 'nothing'; } catch (e) { return `${e.constructor.name} ${e.status} ${e.code}`; } };
const ask = (body, key = client) => key.chat.completions.create({ messages: [{ role: 'user', content: 'Why?' }], max_tokens: 30, model, ...body });

const result = {};
result.models = (await client.models.list()).data.map((m) => m.id);
result.chat = (await ask({})).choices[0].message.content;
result.stream = '';
for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) {
  result.stream += chunk.choices[0]?.delta?.content ?? '';
  result.usage = chunk.usage?.total_tokens ?? result.usage;
}
const lines = Array.from({ length: count }, (_, i) => JSON.stringify({
  custom_id: `line-${i}`, method: 'POST', url: '/v1/chat/completions', body: { model: i === 3 ? 'nobody' : model, messages: [{ role: 'user', content: `Question ${i}` }], max_tokens: 20 },
}));
const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'input.jsonl'), purpose: 'batch' });
let batch = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', metadata: { by: 'node' } });
while (!['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  batch = await client.batches.retrieve(batch.id);
}
const read = async (id) => (await (await client.files.content(id)).text()).trim().split('\n').map((l) => JSON.parse(l));
result.batch = { status: batch.status, counts: batch.request_counts, metadata: batch.metadata };
result.output = (await read(batch.output_file_id)).map((l) => l.custom_id).sort();
result.errors = (await read(batch.error_file_id)).map((l) => `${l.custom_id} ${l.response.status_code} ${l.response.body.error.code}`);
result.batches = [];
for await (const one of client.batches.list({ limit: 1 })) result.batches.push(one.id === batch.id);
result.files = [];
for await (const one of client.files.list({ limit: 2 })) result.files.push(one.purpose);
result.deleted = (await client.files.delete(file.id)).deleted;
result.raised = {
  unauthorized: await raised(() => ask({}, new OpenAI({ baseURL: `${url}/v1`, apiKey: 'wrong', maxRetries: 0 }))),
  unknownModel: await raised(() => ask({ model: 'nobody' })),
  badRequest: await raised(() => ask({ temperature: 9 })),
  noFile: await raised(() => client.files.retrieve('file-nobody')),
  noBatch: await raised(() => client.batches.cancel('batch_nobody')),
  ended: await raised(() => client.batches.cancel(batch.id)),
};
console.log(JSON.stringify(result));
