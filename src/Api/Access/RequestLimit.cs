using System.Collections.Concurrent;
using System.Globalization;
using LlmQueue.Api.Wire;

namespace LlmQueue.Api.Access;

/// <summary>
/// The request rate limit of a tenant (LLMQUEUE_REQUESTS_PER_MINUTE), one token bucket in each API process. Every answer tells what is left
/// in the headers RateLimit and RateLimit-Policy. It protects the API. Calls to models are limited elsewhere, and wait instead of being
/// refused.
/// </summary>
public sealed class RequestLimit(int? perMinute, TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <exception cref="ProblemException">429: the tenant has called too often; when it may again is said.</exception>
    public void Take(HttpContext context, string tenant)
    {
        if (perMinute is not { } limit)
            return;
        var (taken, left, reset) = _buckets.GetOrAdd(tenant, _ => new Bucket(limit, clock.GetUtcNow())).Take(limit, clock.GetUtcNow());
        var headers = context.Response.Headers;
        headers["RateLimit-Policy"] = string.Create(CultureInfo.InvariantCulture, $"\"requests\";q={limit};w=60");
        headers["RateLimit"] = string.Create(CultureInfo.InvariantCulture, $"\"requests\";r={left};t={reset}");
        if (!taken)
            throw new ProblemException(new Problem(StatusCodes.Status429TooManyRequests, "too-many-requests", "Too many requests",
                $"'{tenant}' has made {limit} requests within a minute, "
                    + $"as many as LLMQUEUE_REQUESTS_PER_MINUTE allows; try again in {reset} s.") { RetryAfter = reset });
    }

    /// <summary>A token bucket that refills continuously, so that nobody waits for the turn of a minute.</summary>
    private sealed class Bucket(double level, DateTimeOffset asOf)
    {
        private readonly Lock _gate = new();
        private double _level = level;
        private DateTimeOffset _asOf = asOf;

        public (bool Taken, int Left, int Reset) Take(int limit, DateTimeOffset now)
        {
            lock (_gate)
            {
                _level = Math.Min(limit, _level + ((now - _asOf).TotalSeconds * limit / 60));
                _asOf = now;
                var taken = _level >= 1;
                if (taken)
                    _level--;
                return (taken, (int)_level, Math.Max(1, (int)Math.Ceiling((taken ? limit - _level : 1 - _level) * 60 / limit)));
            }
        }
    }
}
