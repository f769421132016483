// Hands a task to the queue over AMQP and waits for the event that it has ended. No .NET, no library of the queue's: plain JSON.
//   npm install && RABBITMQ_URL=amqp://guest:guest@localhost node amqp.mjs "Why is the sky blue?"
import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';

const id = randomUUID(); // Publishing the same id twice is one task.
const connection = await amqp.connect(process.env.RABBITMQ_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();

// Every event has an exchange of its own. Bind before publishing, or a quick answer is missed.
const { queue } = await channel.assertQueue('', { exclusive: true });
const ends = ['LlmTaskCompleted', 'LlmTaskFailed', 'LlmTaskRejected', 'LlmTaskCanceled'];
for (const end of ends) {
  await channel.assertExchange(`LlmQueue.Contracts:${end}`, 'fanout', { durable: true });
  await channel.bindQueue(queue, `LlmQueue.Contracts:${end}`, '');
}

const ended = new Promise((resolve) =>
  channel.consume(queue, (delivery) => {
    // MassTransit wraps its events in an envelope; what happened is its 'message'.
    const { message } = JSON.parse(delivery.content.toString());
    if (message.taskId === id) resolve({ event: delivery.fields.exchange.split(':')[1], ...message });
  }, { noAck: true }));

const task = { id, prompt: process.argv[2] ?? 'Why is the sky blue?', priority: 'interactive', metadata: { from: 'node' } };
channel.publish('LlmQueue.Contracts:LlmTask', '', Buffer.from(JSON.stringify(task)), { contentType: 'application/json', persistent: true });
await channel.waitForConfirms(); // From here on the task survives anything short of losing the broker and the database.

console.log(JSON.stringify(await ended));
await connection.close();
