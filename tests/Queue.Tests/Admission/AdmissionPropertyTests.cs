using LlmQueue.Limits;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Tests.Exploration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Admission;

/// <summary>
/// What must hold whatever comes: random arrivals, sizes, answers and pauses against the real rows, watched by a bucket of the test's own
/// that shares no code with ours. A failure names its seed.
/// </summary>
public sealed class AdmissionPropertyTests
{
    private const int RequestsAMinute = 120;
    private const int TokensAMinute = 30_000;
    private const decimal BudgetUsd = 0.25m;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Never_above_a_limit_or_a_budget_and_nobody_waits_while_there_is_room(int seed)
    {
        await using var admission = await AdmissionUnderTest.Start($$"""{ "rpm": {{RequestsAMinute}}, "tpm": {{TokensAMinute}} }""");
        await admission.Services.GetRequiredService<BudgetRepository>()
            .Set("installation", "day", BudgetUsd, TestContext.Current.CancellationToken);
        var world = new World(admission, new Random(seed));
        for (var step = 0; step < 150; step++)
            await world.Step();
        await world.EndAll();
        await world.NothingIsLeftReserved();
    }

    /// <summary>The provider as the test imagines it, and the tasks on their way.</summary>
    private sealed class World(AdmissionUnderTest admission, Random random)
    {
        private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);
        private readonly Dictionary<Guid, int> _waiting = [];
        private readonly List<(Guid Id, int Tokens, DateTime Began)> _calling = [];
        private double _requests = RequestsAMinute;
        private double _tokens = TokensAMinute;
        private DateTimeOffset _at = admission.Clock.GetUtcNow();

        public async Task Step()
        {
            switch (random.Next(4))
            {
                case 0:
                    var size = random.Next(50, 6000);
                    foreach (var id in await admission.Park(random.Next(2) == 0 ? "one" : "other", random.Next(1, 12), size,
                        (short)random.Next(3)))
                        _waiting[id] = size;
                    break;
                case 1 when _calling.Count > 0:
                    // In any order among those that began at nearly the same time: an answer is never seconds behind one that was asked for
                    // later, or the bucket takes that one for the first.
                    await Answer(random.Next(_calling.Count(c => c.Began <= _calling[0].Began + TimeSpan.FromSeconds(1))));
                    break;
                default:
                    admission.Clock.Advance(TimeSpan.FromMilliseconds(random.Next(10, 4000)));
                    break;
            }

            await Round();
            await BudgetHolds();
        }

        public async Task EndAll()
        {
            while (_calling.Count > 0)
                await Answer(0);
            await BudgetHolds();
        }

        public async Task NothingIsLeftReserved()
        {
            Assert.Equal(0,
                await admission.Ask<long>("select sum(reserved_requests - settled_requests - released_requests)::bigint from buckets"));
            Assert.Equal(0,
                await admission.Ask<long>("select sum(reserved_tokens - settled_tokens - released_tokens)::bigint from buckets"));
            Assert.Equal(0m, await admission.Ask<decimal>("select sum(reserved_usd - settled_usd - released_usd) from budgets"));
        }

        private async Task Round()
        {
            Drip();
            await Grant();
            if (_waiting.Count > 0)
                await RoomIsUsed();
        }

        private async Task<int> Grant()
        {
            var granted = await admission.Round();
            foreach (var id in granted)
            {
                var tokens = _waiting[id];
                _waiting.Remove(id);
                _calling.Add((id, tokens, admission.Clock.GetUtcNow().UtcDateTime));
                (_requests, _tokens) = (_requests - 1, _tokens - tokens);
                Assert.True(_requests >= -0.001 && _tokens >= -0.001,
                    $"the provider would have refused: {_requests:0.0} requests and {_tokens:0} tokens left");
            }

            return granted.Count;
        }

        /// <summary>
        /// After a round, a tick later, there is either no room for the smallest that waits, or no money, or room is kept for the
        /// one whose turn it is.
        /// </summary>
        private async Task RoomIsUsed()
        {
            admission.Clock.Advance(Tick);
            Drip();
            if (await admission.Ask<decimal>(
                "select limit_usd - spent_usd - reserved_usd + settled_usd + released_usd from budgets where limit_usd is not null")
                < 0.05m)
                return;
            var granted = await Grant();
            // The largest decides: it may be its turn, and room is kept for it. 2 % for the headroom that our bucket keeps of a minute.
            if (_waiting.Count > 0 && granted < 120)
                Assert.True(_requests < 1 + (0.02 * RequestsAMinute) || _tokens < _waiting.Values.Max() + 1 + (0.02 * TokensAMinute),
                    $"{_waiting.Count} wait, the largest with {_waiting.Values.Max()} tokens, "
                        + $"although there are {_requests:0.0} requests and {_tokens:0} tokens");
        }

        private async Task BudgetHolds() =>
            Assert.True(await admission.Ask<decimal>(
                "select max(spent_usd + reserved_usd - settled_usd - released_usd) from budgets where limit_usd is not null") <= BudgetUsd,
                "the budget is overspent");

        /// <summary>
        /// The answer came: some of what was reserved was used. The provider takes what it was sent on arrival and gives nothing back.
        /// </summary>
        private async Task Answer(int index)
        {
            var (id, tokens, began) = _calling[index];
            _calling.RemoveAt(index);
            await using var command = admission.Database.CreateCommand(
                "select reserved_tokens, reserved_usd, reserved_budgets, version from tasks where id = $1");
            command.Parameters.AddWithValue(id);
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            Assert.True(await reader.ReadAsync(TestContext.Current.CancellationToken));
            var reservation = new Reservation(AdmissionUnderTest.BucketId, new ResourceDemand(1, reader.GetInt64(0)), reader.GetDecimal(1),
                reader.GetString(2).Split(' '));
            var version = reader.GetInt32(3);
            await reader.CloseAsync();

            var now = admission.Clock.GetUtcNow().UtcDateTime;
            var used = random.Next(1, tokens + 1);
            var row = new TaskRow
            {
                CorrelationId = id, Version = version + 1, State = TaskStates.Completed, UpdatedAt = now, EndedAt = now,
                CommandSentAt = now,
            };
            var transition = new UnitOfWork(now)
            {
                Task = row,
                Settlement = new Settlement
                {
                    Reserved = reservation, Used = new ResourceDemand(1, used), SpentUsd = reservation.Usd * used / tokens,
                    Count = new ProviderCount { RemainingTokensMinute = _tokens }, ChargedOnArrival = tokens, Began = began,
                    WasAnswered = true,
                },
            };
            Assert.Equal(CommitOutcome.Committed, await admission.Services.GetRequiredService<GroupCommit>().Commit(transition));
        }

        private void Drip()
        {
            var now = admission.Clock.GetUtcNow();
            var minutes = (now - _at).TotalMinutes;
            (_requests, _tokens, _at) = (Math.Min(RequestsAMinute, _requests + (RequestsAMinute * minutes)),
                Math.Min(TokensAMinute, _tokens + (TokensAMinute * minutes)), now);
        }
    }
}
