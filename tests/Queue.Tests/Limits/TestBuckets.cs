using LlmQueue.Limits;

namespace LlmQueue.Tests.Limits;

/// <summary>Buckets as they stand at noon, with the levels that a test gives them.</summary>
internal static class TestBuckets
{
    public static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    public static double OpensAfter(TokenBucket bucket, ResourceDemand need) =>
        (BucketRule.OpensAt(bucket, need, Noon).At - Noon).TotalSeconds;

    public static TokenBucket Bucket(
        double? rpm = null, double levelRpm = 0, double? rpd = null, double levelRpd = 0, double? tpm = null, double levelTpm = 0,
        double? tpd = null, double levelTpd = 0) =>
        new()
    {
        AsOf = Noon,
        RequestsPerMinute = rpm, RequestsPerDay = rpd, TokensPerMinute = tpm, TokensPerDay = tpd,
        // The limit has been proven: what is unknown of a new bucket is RequestProofTests' affair.
        ProvenRequests = rpm ?? 0,
        LevelRequestsMinute = levelRpm, LevelRequestsDay = levelRpd, LevelTokensMinute = levelTpm, LevelTokensDay = levelTpd,
    };
}
