using System.Buffers;
using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Record;

/// <summary>
/// The log on disk: a line when a call arrives and one when it ends, each handed to the kernel in one write, so that neither is lost
/// whichever process is killed. A crash of the machine may lose the last ones.
/// </summary>
internal sealed class CallFile : IDisposable
{
    private readonly Lock _gate = new();
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _line = new(512);

    public CallFile(string path) =>
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    public void Arrive(CallRecord call) => Append("arrive", call.WriteArrival);

    public void End(CallRecord call) => Append(
        "end",
        writer =>
        {
            call.WriteArrival(writer);
            call.WriteEnd(writer);
        });

    /// <summary>Numbers begin again after this line.</summary>
    public void Reset() => Append("reset", static _ => { });

    public void Dispose() => _file.Dispose();

    private void Append(string what, Action<Utf8JsonWriter> write)
    {
        lock (_gate)
        {
            _line.ResetWrittenCount();
            using (var writer = JsonText.Over(_line))
            {
                writer.WriteStartObject();
                writer.WriteString("e", what);
                write(writer);
                writer.WriteEndObject();
            }

            _line.Write("\n"u8);
            _file.Write(_line.WrittenSpan);
        }
    }
}
