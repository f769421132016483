using ProviderSimulator.Faults;
using ProviderSimulator.Limits;
using ProviderSimulator.Record;
using ProviderSimulator.Settings;

namespace ProviderSimulator;

/// <summary>All that the provider remembers between calls.</summary>
internal sealed class Provider(ProviderSettings settings, int seed, CallFile? file, TimeProvider time)
{
    private volatile ProviderSettings _settings = settings;

    public ProviderSettings Settings => _settings;
    public TimeProvider Time { get; } = time;
    public Accounts Accounts { get; } = new(time);
    public FaultBoard Faults { get; } = new();
    public CallLog Log { get; } = new(time, file);
    public LatencyDice Dice { get; } = new(seed);

    public void Change(SettingsChange change) => _settings = _settings.With(change);

    public void Reset()
    {
        Faults.Reset();
        Accounts.Refill();
        Log.Reset();
    }
}
