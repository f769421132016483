using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmQueue.Api.Wire;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Streaming;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Chat;

/// <summary>
/// Streams an answer as server-sent events. Pieces are sent as the provider sends them; at the end the rest comes from the answer's row, so
/// a lost piece changes when a text comes and never what comes. Until something has been sent a refusal is an HTTP status like any other.
/// </summary>
public sealed class ChatStream(TokenListener listener, TaskEnds ends, TimeProvider clock)
{
    private static readonly TimeSpan BetweenSigns = TimeSpan.FromSeconds(10);

    public async Task<IResult> Send(HttpContext context, Guid id, bool includeUsage, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var ear = await listener.Listen(id, cancellationToken);
        var chunks = new Chunks(context, id, OpenAiFormat.Seconds(clock.GetUtcNow().UtcDateTime));
        var ended = ends.Of(id, cancellationToken);
        var (began, signed) = (clock.GetTimestamp(), clock.GetTimestamp());
        while (!ended.IsCompleted)
        {
            using var moment = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var heard = ear.Pieces.WaitToReadAsync(moment.Token).AsTask();
            await Task.WhenAny(heard, ended, Task.Delay(BetweenSigns, clock, moment.Token));
            while (ear.Pieces.TryRead(out var piece))
                await chunks.Piece(piece, cancellationToken);
            await moment.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            if (clock.GetElapsedTime(began) > wait)
            {
                await chunks.Error(
                    new OpenAiError($"The answer takes longer than {wait.TotalSeconds:0} s; the task goes on: GET /v1/tasks/{id}.",
                        "server_error", null, "handed_over"),
                    cancellationToken);
                return Results.Empty;
            }

            if (clock.GetElapsedTime(signed) < BetweenSigns)
                continue;
            await chunks.SignOfLife(cancellationToken);
            signed = clock.GetTimestamp();
        }

        await ended;
        var result = await ends.Result(id, cancellationToken);
        if (result?.State == TaskStates.Completed)
        {
            await chunks.Rest(result, includeUsage, cancellationToken);
            return Results.Empty;
        }

        var problem = result is null ? Problem.NoSuch("task") : ChatApi.ProblemOf(result);
        if (!context.Response.HasStarted)
        {
            context.Response.Headers["x-should-retry"] = "false";
            return OpenAiAnswers.Of(problem);
        }

        await chunks.Error(OpenAiAnswers.ErrorOf(problem), cancellationToken);
        return Results.Empty;
    }

    /// <summary>The chunks of one answer that have been sent.</summary>
    private sealed class Chunks(HttpContext context, Guid id, long created)
    {
        private readonly StringBuilder _sent = new();
        private int _attempt;
        private string _model = "auto";

        /// <summary>
        /// One that does not follow what was sent waits for the end: it belongs to another attempt, or one before it was lost.
        /// </summary>
        public async Task Piece(TokenChunk piece, CancellationToken cancellationToken)
        {
            if (_sent.Length == 0)
                _attempt = piece.Attempt;
            if (piece.Attempt != _attempt || piece.Offset != _sent.Length)
                return;
            await Text(piece.Text, cancellationToken);
        }

        public async Task Rest(TaskResult result, bool includeUsage, CancellationToken cancellationToken)
        {
            _model = result.Model ?? _model;
            var (finish, calls) = ChatAnswer.EndingOf(result.Ending);
            var text = result.Answer ?? "";
            if (!text.StartsWith(_sent.ToString(), StringComparison.Ordinal))
            {
                await Error(
                    new OpenAiError(
                        "The call broke off after a part of its answer had been sent, and another one answered; "
                            + $"the whole answer is at GET /v1/tasks/{id}.",
                        "server_error", null, "stream_broken"),
                    cancellationToken);
                return;
            }

            if (text.Length > _sent.Length || _sent.Length == 0)
                await Text(text[_sent.Length..], cancellationToken);
            if (calls is { } tools)
                await Delta(new JsonObject { ["tool_calls"] = Indexed(tools) }, null, cancellationToken);
            await Delta([], finish, cancellationToken);
            if (includeUsage)
                await Event(
                    Chunk([], JsonSerializer.SerializeToNode(
                        new ChatUsage(result.InputTokens, result.OutputTokens, result.InputTokens + result.OutputTokens),
                        OpenAiFormat.Json)),
                    cancellationToken);
            await Write("data: [DONE]\n\n", cancellationToken);
        }

        public async Task Error(OpenAiError error, CancellationToken cancellationToken) =>
            await Write($"data: {{\"error\":{error.ToJson()}}}\n\n", cancellationToken);

        public Task SignOfLife(CancellationToken cancellationToken) =>
            Write(": the task waits or is being answered\n\n", cancellationToken);

        private async Task Text(string text, CancellationToken cancellationToken)
        {
            var delta = new JsonObject { ["content"] = text };
            if (_sent.Length == 0)
                delta["role"] = "assistant";
            _sent.Append(text);
            await Delta(delta, null, cancellationToken);
        }

        private Task Delta(JsonObject delta, string? finish, CancellationToken cancellationToken) =>
            Event(Chunk([new JsonObject { ["index"] = 0, ["delta"] = delta, ["logprobs"] = null, ["finish_reason"] = finish }], null),
                cancellationToken);

        private JsonObject Chunk(JsonArray choices, JsonNode? usage)
        {
            var chunk = new JsonObject
            {
                ["id"] = OpenAiFormat.Id(OpenAiFormat.ChatPrefix, id), ["object"] = "chat.completion.chunk", ["created"] = created,
                ["model"] = _model, ["choices"] = choices,
            };
            if (usage is not null)
                chunk["usage"] = usage;
            return chunk;
        }

        private static JsonArray Indexed(JsonElement calls)
        {
            var list = (JsonArray)JsonNode.Parse(calls.GetRawText())!;
            for (var i = 0; i < list.Count; i++)
                if (list[i] is JsonObject call)
                    call["index"] = i;
            return (JsonArray)list.DeepClone();
        }

        private Task Event(JsonObject chunk, CancellationToken cancellationToken) =>
            Write($"data: {chunk.ToJsonString(OpenAiFormat.Json)}\n\n", cancellationToken);

        private async Task Write(string text, CancellationToken cancellationToken)
        {
            if (!context.Response.HasStarted)
            {
                context.Response.ContentType = "text/event-stream";
                context.Response.Headers.CacheControl = "no-cache";
                // A proxy that gathers a stream before it passes it on would undo it.
                context.Response.Headers["X-Accel-Buffering"] = "no";
            }

            await context.Response.WriteAsync(text, cancellationToken);
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }
}
