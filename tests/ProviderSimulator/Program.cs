using System.Text.Json;
using ProviderSimulator;
using ProviderSimulator.Record;
using ProviderSimulator.Settings;

CommandLine line;
ProviderSettings settings;
try
{
    line = CommandLine.Parse(args);
    settings = ProviderSettings.Load(line);
}
catch (Exception error) when (error is FormatException or OverflowException or JsonException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 2;
}

using var file = line.LogPath is { } path ? new CallFile(path) : null;
var provider = new Provider(settings, line.Seed, file, TimeProvider.System);

// Empty: no appsettings of whatever folder it is started in, no ASPNETCORE_ variables, no logging.
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.WebHost.UseKestrelCore().ConfigureKestrel(server =>
{
    server.AddServerHeader = false;
    server.Limits.MaxRequestBodySize = 64 << 20;
    // The body is read in one piece, however long.
    server.Limits.MaxRequestBufferSize = null;
});
// A call that hangs must not hold up the end.
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(500));

await using var app = builder.Build();
foreach (var url in line.Urls.Split(';', StringSplitOptions.RemoveEmptyEntries))
{
    app.Urls.Add(url);
}

app.Run(new Switchboard(provider).Answer);
try
{
    await app.StartAsync();
}
catch (IOException error)
{
    await Console.Error.WriteLineAsync($"Cannot listen on {line.Urls}: {error.Message}");
    return 1;
}

await Console.Out.WriteLineAsync($"ProviderSimulator listening on {app.Urls.First()}");
if (line.ParentProcessId is { } parent)
{
    _ = ParentWatch.Watch(parent, app.Lifetime, TimeProvider.System);
}

await app.WaitForShutdownAsync();
return 0;
