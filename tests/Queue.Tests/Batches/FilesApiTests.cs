using System.Net;
using System.Text;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Files;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Batches;

public sealed class FilesApiTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_uploaded_comes_back_byte_for_byte()
    {
        var content = string.Concat(Enumerable.Range(0, 30_000).Select(i => $"{{\"line\":{i},\"text\":\"größer\"}}\n"));

        var id = await api.Anna.Upload(content, "C:\\folder\\größe.jsonl");
        var file = await api.Anna.Get($"/v1/files/{id}").Body(200);

        Assert.Equal(content, await api.Anna.GetStringAsync($"/v1/files/{id}/content", Cancel));
        Assert.Equal(("file", "größe.jsonl", "batch", "processed"),
            (file.Text("object"), file.Text("filename"), file.Text("purpose"), file.Text("status")));
        Assert.Equal(Encoding.UTF8.GetByteCount(content), file.GetProperty("bytes").GetInt64());
        Assert.Equal(30 * 24 * 3600, file.GetProperty("expires_at").GetInt64() - file.GetProperty("created_at").GetInt64());
    }

    [Fact]
    public async Task A_file_that_is_deleted_is_gone_with_its_bytes()
    {
        var id = await api.Anna.Upload("{}\n");

        var gone = await api.Anna.Delete($"/v1/files/{id}").Body(200);

        Assert.Equal($$"""{"id":"{{id}}","object":"file","deleted":true}""", gone.GetRawText());
        Assert.Equal("not_found", (await api.Anna.Get($"/v1/files/{id}").Body(404)).GetProperty("error").Text("code"));
        var guid = Guid.Parse(id["file-".Length..]);
        Assert.Empty(await Read(files => files.Read(guid, 0, Cancel)));
    }

    [Fact]
    public async Task Lists_go_page_by_page_and_show_no_other_tenant()
    {
        var client = api.Ben;
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Add(await client.Upload($"{i}\n"));
        await api.Anna.Upload("anna's\n");

        var first = await client.Get("/v1/files?limit=2&order=asc&purpose=batch").Body(200);
        var second = await client.Get($"/v1/files?limit=10&order=asc&after={first.Text("last_id")}").Body(200);

        Assert.Equal(ids[..2], first.GetProperty("data").EnumerateArray().Select(f => f.Text("id")));
        Assert.True(first.GetProperty("has_more").GetBoolean());
        Assert.Equal(ids[2..], second.GetProperty("data").EnumerateArray().Select(f => f.Text("id")));
        Assert.False(second.GetProperty("has_more").GetBoolean());
        Assert.Equal(ids[4], (await client.Get("/v1/files?limit=1").Body(200)).Text("first_id"));
    }

    [Theory]
    [InlineData("batch", "x.txt", "file")]
    [InlineData("fine-tune", "x.jsonl", "purpose")]
    [InlineData("", "x.jsonl", "purpose")]
    public async Task A_form_that_does_not_fit_is_refused_in_OpenAIs_words_and_leaves_nothing(string purpose, string name, string param)
    {
        var before = await Count();
        using var form = new MultipartFormDataContent
        {
            { new StringContent(purpose), "purpose" }, { BatchClient.File("{}\n"), "file", name },
        };

        var error = (await api.Anna.PostAsync("/v1/files", form, Cancel).Body(400)).GetProperty("error");

        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(p => p.Name));
        Assert.Equal(("invalid_request_error", param), (error.Text("type"), error.Text("param")));
        Assert.Equal(before, await Count());
    }

    [Fact]
    public async Task The_parts_of_a_form_come_in_any_order_and_a_torn_form_is_refused()
    {
        using var form = new MultipartFormDataContent
        {
            { BatchClient.File("{}\n"), "file", "x.jsonl" }, { new StringContent("created_at"), "expires_after[anchor]" },
            { new StringContent("3600"), "expires_after[seconds]" }, { new StringContent("batch"), "purpose" },
        };
        var file = await api.Anna.PostAsync("/v1/files", form, Cancel).Body(200);
        Assert.Equal(3600, file.GetProperty("expires_at").GetInt64() - file.GetProperty("created_at").GetInt64());

        var before = await Count();
        using var torn = new ByteArrayContent(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{}"u8.ToArray());
        torn.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=x");
        await api.Anna.PostAsync("/v1/files", torn, Cancel).Body(400);
        Assert.Equal(before, await Count());
    }

    [Fact]
    public async Task More_than_200_MB_are_refused_without_being_kept()
    {
        var before = await Count();
        using var form = new MultipartFormDataContent
        {
            { new StringContent("batch"), "purpose" }, { new StreamContent(new Endless((200L << 20) + 1)), "file", "large.jsonl" },
        };

        var error = (await api.Anna.PostAsync("/v1/files", form, Cancel).Body((int)HttpStatusCode.RequestEntityTooLarge))
            .GetProperty("error");

        Assert.Contains("200 MB", error.Text("message"), StringComparison.Ordinal);
        Assert.Equal(before, await Count());
    }

    [Fact]
    public async Task A_batch_that_is_created_or_canceled_rings_for_whoever_moves_batches()
    {
        var batch = await api.Anna.CreateBatch(await api.Anna.Upload(BatchClient.Line("x")));
        var id = Guid.Parse(batch.Text("id")["batch_".Length..]);
        await api.Sent<MoveBatch>(bell => bell.BatchId == id);

        var other = await api.Anna.CreateBatch(batch.Text("input_file_id"));
        var otherId = Guid.Parse(other.Text("id")["batch_".Length..]);
        await api.Anna.PostText($"/v1/batches/{other.Text("id")}/cancel", "").Body(200);

        await Eventually.True("it was rung for twice", TimeSpan.FromSeconds(10),
            () => api.AllSent<MoveBatch>().Count(bell => bell.BatchId == otherId) == 2);
    }

    [Fact]
    public async Task Lines_are_cut_the_same_wherever_they_lie()
    {
        // Around the edges of chunks: a line that ends with one, one that begins with one, one longer than three, none at all.
        var lines = new[]
        {
            new string('a', FileStore.ChunkBytes - 1), "b", "", new string('c', (3 * FileStore.ChunkBytes) + 17), "d\r", "  e  ",
            "last without an end",
        };
        var id = Guid.Parse((await api.Anna.Upload(string.Join('\n', lines)))["file-".Length..]);
        var files = api.Services.GetRequiredService<FileStore>();

        var all = new List<(int Number, long End, string Text)>();
        await foreach (var line in FileLines.Read(files, id, 0, 0, Cancel))
            all.Add((line.Number, line.End, Encoding.UTF8.GetString(line.Bytes!.Value.Span)));

        Assert.Equal(lines.Select(l => l.Trim()), all.Select(l => l.Text));
        for (var i = 0; i < all.Count - 1; i++)
        {
            // From any line on, the rest is the same: that is what a crash relies on.
            var rest = new List<string>();
            await foreach (var line in FileLines.Read(files, id, all[i].End, all[i].Number, Cancel))
                rest.Add($"{line.Number} {Encoding.UTF8.GetString(line.Bytes!.Value.Span)}");
            Assert.Equal(all[(i + 1)..].Select(l => $"{l.Number} {l.Text}"), rest);
        }
    }

    private async Task<int> Count()
    {
        await using var db = await api.Services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(Cancel);
        return await db.Files.CountAsync(Cancel);
    }

    private async Task<List<byte[]>> Read(Func<FileStore, IAsyncEnumerable<byte[]>> read)
    {
        var chunks = new List<byte[]>();
        await foreach (var chunk in read(api.Services.GetRequiredService<FileStore>()))
            chunks.Add(chunk);
        return chunks;
    }

    /// <summary>So many bytes out of nowhere.</summary>
    private sealed class Endless(long length) : Stream
    {
        private long left = length;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var taken = (int)Math.Min(count, left);
            buffer.AsSpan(offset, taken).Fill((byte)'x');
            left -= taken;
            return taken;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
