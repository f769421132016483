using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// A real RabbitMQ of the test's own: own node name, ports, data, and own epmd (the name service that Erlang nodes of one machine would
/// share otherwise). It is asked over its management API, where a virtual host takes 30 ms; rabbitmqctl starts an Erlang of its own for
/// each question and takes 500. The collector of statistics is off: nobody reads them, and it costs time on every message.
/// </summary>
public sealed class RabbitServer : IAsyncDisposable
{
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan StopsWithin = TimeSpan.FromSeconds(60);
    private static int started;

    private readonly ServerFolder folder;
    private readonly ProcessUnderTest names;
    private readonly string program;
    private readonly int port;
    private readonly Dictionary<string, string?> environment;
    private readonly HttpClient management;
    private ProcessUnderTest? server;
    private int virtualHosts;

    private RabbitServer(
        ServerFolder folder, string program, int port, int api, ProcessUnderTest names, Dictionary<string, string?> environment)
    {
        (this.folder, this.program, this.port, this.names, this.environment) = (folder, program, port, names, environment);
        management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Text(api)}/api/"), Timeout = TimeSpan.FromSeconds(15) };
        management.DefaultRequestHeaders.Authorization = new("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest")));
    }

    public bool IsRunning => server is { HasExited: false };

    /// <summary>The broker's process, for whoever reads its clocks.</summary>
    public int ProcessId => server?.Id ?? throw new InvalidOperationException("RabbitMQ does not run.");

    public static async Task<RabbitServer> StartNew()
    {
        var installed = FindProgram();
        var home = await ServerFolder.Create("rabbitmq", "rabbitmq");
        var (amqp, api, nodeNames) = (Ports.Free(), Ports.Free(), Text(Ports.Free()));
        await File.WriteAllTextAsync(
            home.File("rabbitmq.conf"),
            $"""
            listeners.tcp.1 = 127.0.0.1:{Text(amqp)}
            management.tcp.ip = 127.0.0.1
            management.tcp.port = {Text(api)}
            management_agent.disable_metrics_collector = true

            """
        );
        await File.WriteAllTextAsync(home.File("enabled_plugins"), "[rabbitmq_management].\n");
        await home.HandOver();
        var settings = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = home.Path, // Erlang keeps its cookie there
            ["ERL_EPMD_PORT"] = nodeNames,
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["ERL_CRASH_DUMP_BYTES"] = "0",
            ["RABBITMQ_NODENAME"] = $"llmqueue-{Text(Environment.ProcessId)}-{Text(Interlocked.Increment(ref started))}@localhost",
            ["RABBITMQ_DIST_PORT"] = Text(Ports.Free()),
            ["RABBITMQ_MNESIA_BASE"] = home.File("mnesia"),
            ["RABBITMQ_LOG_BASE"] = home.File("log"),
            ["RABBITMQ_CONFIG_FILE"] = home.File("rabbitmq.conf"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = home.File("enabled_plugins"),
            ["RABBITMQ_CONF_ENV_FILE"] = home.File("none"), // the machine's own settings are for the machine's own server
            ["RABBITMQ_ALLOW_INPUT"] = "1", // with it the start script becomes the server, instead of staying as its parent
        };
        var epmd = home.AsUser("epmd", "-port", nodeNames, "-address", "127.0.0.1");
        var rabbit = new RabbitServer(home, installed, amqp, api, ProcessUnderTest.Start(epmd[0], epmd[1..], settings), settings);
        await rabbit.Start();
        return rabbit;
    }

    /// <summary>On the same data and the same ports.</summary>
    public async Task Start()
    {
        await Forget();
        var command = folder.AsUser(program, "-noinput");
        server = ProcessUnderTest.Start(command[0], command[1..], environment, folder.Path, doomed: folder.Path);
        await Eventually.True(
            "RabbitMQ shakes hands",
            StartsWithin,
            async () => IsRunning ? await ShakesHands() && await Answers() : throw new InvalidOperationException(server.Tail())
        );
    }

    /// <summary>A virtual host that nobody else uses, as an AMQP address.</summary>
    public async Task<string> CreateVirtualHost()
    {
        var name = $"test-{Text(Interlocked.Increment(ref virtualHosts))}";
        using var created = await management.PutAsync($"vhosts/{name}", content: null);
        created.EnsureSuccessStatusCode();
        return $"amqp://guest:guest@127.0.0.1:{Text(port)}/{name}";
    }

    /// <summary>A user of the virtual host, or a new password for one; connections that are open stay.</summary>
    /// <returns>The virtual host's AMQP address, as that user.</returns>
    public async Task<string> SetUser(string virtualHost, string user, string password)
    {
        using var put = await management.PutAsJsonAsync($"users/{user}", new { password, tags = "" });
        put.EnsureSuccessStatusCode();
        var everything = new { configure = ".*", write = ".*", read = ".*" };
        using var permitted = await management.PutAsJsonAsync($"permissions/{NameOf(virtualHost)}/{user}", everything);
        permitted.EnsureSuccessStatusCode();
        return new UriBuilder(virtualHost) { UserName = user, Password = password }.Uri.ToString();
    }

    /// <summary>Messages by queue, delivered but unacknowledged ones included.</summary>
    public async Task<IReadOnlyDictionary<string, long>> MessagesByQueue(string virtualHost)
    {
        var queues = await management.GetFromJsonAsync<JsonArray>(
            $"queues/{NameOf(virtualHost)}?disable_stats=true&enable_queue_totals=true");
        return queues!.ToDictionary(queue => (string)queue!["name"]!, queue => (long?)queue!["messages"] ?? 0, StringComparer.Ordinal);
    }

    public async Task Purge(string virtualHost, string queue)
    {
        using var purged = await management.DeleteAsync($"queues/{NameOf(virtualHost)}/{Uri.EscapeDataString(queue)}/contents");
        purged.EnsureSuccessStatusCode();
    }

    /// <summary>As an operator restarts it.</summary>
    public async Task Restart()
    {
        await Stop();
        await Start();
    }

    public async Task Stop()
    {
        server?.Terminate();
        await (server?.ExitCode(StopsWithin) ?? Task.CompletedTask);
    }

    /// <summary>kill -9 of the broker.</summary>
    public Task Kill() => server?.Kill() ?? Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await Forget();
        await names.DisposeAsync();
        management.Dispose();
        folder.Dispose();
    }

    private async Task Forget()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
            server = null;
        }
    }

    // A listening socket alone may be one that answers nothing yet: the first frame of AMQP is a method frame, type 1.
    private async Task<bool> ShakesHands()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        await using var stream = client.GetStream();
        await stream.WriteAsync("AMQP\0\0\u0009\u0001"u8.ToArray());
        var frame = new byte[1];
        return await stream.ReadAsync(frame).AsTask().WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System) == 1 && frame[0] == 1;
    }

    private async Task<bool> Answers()
    {
        using var answer = await management.GetAsync("vhosts");
        return answer.IsSuccessStatusCode;
    }

    // /usr/sbin/rabbitmq-server of Debian is a wrapper that insists on the machine's own folders.
    private static string FindProgram()
    {
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] folders =
        [
            Environment.GetEnvironmentVariable("RABBITMQ_BIN") ?? "",
            "/usr/lib/rabbitmq/bin",
            "/opt/homebrew/opt/rabbitmq/sbin",
            "/usr/local/opt/rabbitmq/sbin",
            .. onPath,
        ];
        return folders.Select(place => Path.Combine(place, "rabbitmq-server"))
            .FirstOrDefault(path => Path.IsPathRooted(path) && File.Exists(path))
            ?? throw new InvalidOperationException(
                "RabbitMQ's server program was not found: install it (on Debian: "
                    + "apt-get install rabbitmq-server), or name its folder with RABBITMQ_BIN. ./test.sh does it for you."
            );
    }

    private static string NameOf(string virtualHost) => new Uri(virtualHost).AbsolutePath[1..];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
