using System.Text.Json;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// Validates a batch's file and makes its lines tasks, in one pass: while one portion is written the next is read. Memory holds two
/// portions and the lines' names, whatever the file's size. A file that proves wrong at its last line takes back what was written;
/// nothing of it has run.
/// </summary>
public sealed class BatchReader(FileStore files, BatchLine lines, BatchImporter expansion, BatchRepository batches)
{
    public const int MostLines = 100_000;
    private const int MostErrors = 100;
    private const int LargestPortion = 4 << 20;

    /// <summary>True when the batch is in progress now.</summary>
    public async Task<bool> Read(BatchRow batch, CancellationToken cancellationToken)
    {
        var reading = new Reading(batch, [.. await expansion.Names(batch.Id, cancellationToken)]);
        await foreach (var line in FileLines.Read(files, batch.InputFileId, batch.Position, batch.Lines, cancellationToken))
        {
            Take(reading, line);
            if (reading.Errors.Count >= MostErrors)
                break;
            if ((reading.Portion.Count >= BatchImporter.LinesTogether || reading.PortionBytes >= LargestPortion)
                && !await Hand(reading, cancellationToken))
                return false;
        }

        if (reading.Names.Count == 0 && reading.Errors.Count == 0)
            reading.Errors.Add(new BatchError("empty_file", "The input file has no line; expected at least one request.", null, null));
        if (reading.Errors.Count > 0)
        {
            await reading.Writing;
            await expansion.TakeBack(batch.Id, cancellationToken);
            await batches.Fail(batch.Id, JsonSerializer.Serialize(reading.Errors, OpenAiFormat.Json), cancellationToken);
            // Somebody whose lock was lost with its session may have written until the status changed.
            await expansion.TakeBack(batch.Id, cancellationToken);
            return false;
        }

        return await Hand(reading, cancellationToken) && await reading.Writing && await batches.Begin(batch.Id, cancellationToken);
    }

    private void Take(Reading reading, FileLine line)
    {
        (reading.Position, reading.Line) = (line.End, line.Number);
        if (line.Bytes is { Length: 0 })
            return;
        BatchError? error;
        if (line.Bytes is not { } bytes)
            error = new BatchError("invalid_json_line", $"This line is longer than {FileLines.LongestLine >> 20} MB.", null, line.Number);
        else if (reading.Names.Count >= MostLines)
            error = new BatchError("too_many_tasks", $"The batch has more than {MostLines:N0} requests; split its file.", null,
                line.Number);
        else if (lines.Read(reading.Batch, line.Number, bytes, out error) is { } read)
        {
            if (!reading.Names.Add(read.CustomId))
                error = new BatchError("duplicate_custom_id",
                    $"The custom_id '{read.CustomId}' stands in the file twice; every line needs a name of its own.", "custom_id",
                    line.Number);
            else
                reading.Portion.Add((line.Number, read.CustomId, read.Line));
            reading.PortionBytes += bytes.Length;
        }

        if (error is not null)
            reading.Errors.Add(error);
        if (error is { Code: "too_many_tasks" })
            reading.Errors.RemoveAll(e => e.Code == "too_many_tasks" && e != error);
    }

    /// <summary>Hands the portion over once the one before is written; false when the batch was canceled meanwhile.</summary>
    private async Task<bool> Hand(Reading reading, CancellationToken cancellationToken)
    {
        if (!await reading.Writing)
            return false;
        if (reading.Errors.Count == 0)
        {
            var (portion, position, line) = (reading.Portion, reading.Position, reading.Line);
            reading.Writing = Task.Run(() => expansion.Write(reading.Batch, portion, position, line, cancellationToken), cancellationToken);
        }

        (reading.Portion, reading.PortionBytes) = ([], 0);
        return true;
    }

    private sealed class Reading(BatchRow batch, HashSet<string> names)
    {
        public BatchRow Batch => batch;
        public HashSet<string> Names => names;
        public List<BatchError> Errors { get; } = [];
        public List<(int Line, string CustomId, ImportedLine Expanded)> Portion { get; set; } = [];
        public int PortionBytes { get; set; }
        public long Position { get; set; } = batch.Position;
        public int Line { get; set; } = batch.Lines;
        public Task<bool> Writing { get; set; } = Task.FromResult(true);
    }
}
