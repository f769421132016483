using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace LlmQueue.Tests.Chaos;

/// <summary>Which way of a wire is cut.</summary>
public enum Way
{
    /// <summary>What the worker says is not heard.</summary>
    ToServer,

    /// <summary>What the server says is not heard: a commit takes place and nobody is told.</summary>
    ToWorker,

    Both,
}

/// <summary>
/// The network between one worker and one server. Cut, it forwards nothing and closes nothing, as a cable that was pulled: either end only
/// sees silence, and whoever connects meanwhile is met with silence too. Mended, it goes on with what was held, as TCP's own repetition
/// does, or it has forgotten its connections, as a firewall does.
/// </summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint server;
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentDictionary<Socket, Socket> connections = new();
    private readonly Gate toServer = new();
    private readonly Gate toWorker = new();
    private readonly Task accepting;

    private Wire(int port)
    {
        server = new IPEndPoint(IPAddress.Loopback, port);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = Accept();
    }

    /// <summary>What the worker connects to instead of the server.</summary>
    public int Port { get; }

    public static Wire To(int port) => new(port);

    public void Cut(Way way)
    {
        if (way is Way.ToServer or Way.Both)
        {
            toServer.Close();
        }

        if (way is Way.ToWorker or Way.Both)
        {
            toWorker.Close();
        }
    }

    public void Mend(bool forgetting = false)
    {
        if (forgetting)
        {
            foreach (var (worker, other) in connections)
            {
                // Closed without a farewell: the next byte of either end is answered with a reset.
                worker.Close(timeout: 0);
                other.Close(timeout: 0);
            }
        }

        toServer.Open();
        toWorker.Open();
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        listener.Stop();
        Mend(forgetting: true);
        await accepting;
        listener.Dispose();
        ending.Dispose();
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                var worker = await listener.AcceptSocketAsync(ending.Token);
                _ = Carry(worker);
            }
        }
        catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The installation is gone.
        }
    }

    private async Task Carry(Socket worker)
    {
        using var near = worker;
        using var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        near.NoDelay = true;
        connections[near] = far;
        try
        {
            await toServer.Passing(ending.Token);
            await far.ConnectAsync(server, ending.Token);
            await Task.WhenAll(Forward(near, far, toServer), Forward(far, near, toWorker));
        }
        catch (Exception lost) when (lost is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One end is gone; with the sockets' end the other hears of it.
        }
        finally
        {
            connections.TryRemove(near, out _);
        }
    }

    private async Task Forward(Socket from, Socket to, Gate gate)
    {
        var held = new byte[64 * 1024];
        while (await from.ReceiveAsync(held, ending.Token) is > 0 and var count)
        {
            await gate.Passing(ending.Token);
            await to.SendAsync(held.AsMemory(0, count), ending.Token);
        }

        await gate.Passing(ending.Token);
        to.Shutdown(SocketShutdown.Send);
    }

    private sealed class Gate
    {
        private volatile TaskCompletionSource open = Opened();

        public Task Passing(CancellationToken cancel) => open.Task.WaitAsync(cancel);

        public void Close()
        {
            if (open.Task.IsCompleted)
            {
                open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public void Open() => open.TrySetResult();

        private static TaskCompletionSource Opened()
        {
            var opened = new TaskCompletionSource();
            opened.SetResult();
            return opened;
        }
    }
}
