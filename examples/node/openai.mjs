// OpenAI's own client against the queue: a chat, a stream, a batch. Only the address and the key are the queue's.
//   npm install && node openai.mjs
import OpenAI, { toFile } from 'openai';

const client = new OpenAI({ baseURL: `${process.env.LLMQUEUE_URL ?? 'http://127.0.0.1:8080'}/v1`, apiKey: process.env.LLMQUEUE_TOKEN ?? 'none' });
const model = process.env.MODEL ?? 'auto'; // 'auto' lets the queue choose; GET /v1/models lists the others.

const chat = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Why is the sky blue?' }], max_tokens: 100 });
console.log('chat:', chat.choices[0].message.content);

let streamed = '';
for await (const chunk of await client.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content: 'Why is the sea salt?' }], max_tokens: 100 }))
  streamed += chunk.choices[0]?.delta?.content ?? '';
console.log('stream:', streamed);

const lines = ['one', 'two', 'three'].map((word, i) => JSON.stringify({
  custom_id: `line-${i}`, method: 'POST', url: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: `Say ${word}.` }], max_tokens: 20 },
}));
const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'input.jsonl'), purpose: 'batch' });
let batch = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
while (!['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  batch = await client.batches.retrieve(batch.id);
}
console.log('batch:', batch.status, JSON.stringify(batch.request_counts));
if (batch.output_file_id)
  for (const line of (await (await client.files.content(batch.output_file_id)).text()).trim().split('\n').map((l) => JSON.parse(l)))
    console.log(`${line.custom_id}:`, line.response.body.choices[0].message.content);
