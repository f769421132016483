using LlmQueue.Hosting.Settings;
using Xunit;

namespace LlmQueue.Tests.Settings;

public sealed class SettingsRefusalTests
{
    [Theory]
    [InlineData("BUDGET_DAILY_USD", "five", "BUDGET_DAILY_USD is 'five'; expected US dollars")]
    [InlineData("BUDGET_DAILY_USD", "-1", "BUDGET_DAILY_USD is '-1'; expected US dollars")]
    [InlineData("BUDGET_DAILY_USD", "1,000", "BUDGET_DAILY_USD is '1,000'; expected US dollars")]
    [InlineData("LLMQUEUE_URL", "https://host", "LLMQUEUE_URL is 'https://host'; expected http://host:port")]
    [InlineData("LLMQUEUE_URL", "8080", "LLMQUEUE_URL is '8080'; expected http://host:port")]
    [InlineData("LLMQUEUE_URL", "http://host/api", "LLMQUEUE_URL is 'http://host/api'; expected http://host:port without a path")]
    [InlineData("RABBITMQ_URL", "http://user:s3cret@host", "RABBITMQ_URL begins with 'http://'; expected amqp://")]
    [InlineData("RABBITMQ_URL", "s3cret", "RABBITMQ_URL has no scheme; expected amqp://")]
    [InlineData("RABBITMQ_URL", "amqp://user:s3cret@", "RABBITMQ_URL names no host")]
    [InlineData("RABBITMQ_URL", "amqp://user:s3cret@host:port", "RABBITMQ_URL has a host or port that is none")]
    [InlineData("DATABASE_URL", "mysql://u:s3cret@h/d", "DATABASE_URL begins with 'mysql://'; expected postgres://")]
    [InlineData("DATABASE_URL", "postgres://u:s3cret@h:99999/d", "DATABASE_URL has a host or port that is none")]
    [InlineData("DATABASE_URL", "postgres://u:s3cret@h/d?nonsense=s3cret", "DATABASE_URL has an option that Npgsql does not take")]
    [InlineData("DATABASE_URL", "postgres://u:s3cret@h/d?sslmode=s3cret", "DATABASE_URL has an option that Npgsql does not take")]
    [InlineData("DATABASE_URL", "Password=s3cret", "DATABASE_URL names no host")]
    [InlineData("DATABASE_URL", "s3cret", "DATABASE_URL has an option that Npgsql does not take")]
    [InlineData("GROQ_BASE_URL", "ftp://host", "GROQ_BASE_URL is 'ftp://host'; expected the OpenAI-compatible root")]
    [InlineData("GROQ_BASE_URL", "http://u:s3cret@host", "GROQ_BASE_URL is an address with a user or password in it")]
    [InlineData("GROQ_API_KEY", "s3cret s3cret",
        "GROQ_API_KEY has a space, a line break or another character that no key has (at place 7 of 13)")]
    [InlineData("GROQ_API_KEY", "s3cret\ns3cret", "GROQ_API_KEY has a space, a line break")]
    [InlineData("GROQ_API_KEY", "s3cret…", "GROQ_API_KEY has a space, a line break")]
    [InlineData("LLMQUEUE_TOKENS", "s3cret", "LLMQUEUE_TOKENS: pair 1 of 1 does not fit; expected 'name:secret'")]
    [InlineData("LLMQUEUE_TOKENS", "web:s3cret,,b:c", "LLMQUEUE_TOKENS: pair 2 of 3 does not fit")]
    [InlineData("LLMQUEUE_TOKENS", "web:", "LLMQUEUE_TOKENS: pair 1 of 1 does not fit")]
    [InlineData("LLMQUEUE_TOKENS", "my web:s3cret", "LLMQUEUE_TOKENS: pair 1 of 1 does not fit")]
    [InlineData("LLMQUEUE_TOKENS", "web:s3cret,web:other", "LLMQUEUE_TOKENS: the name 'web' stands there twice")]
    [InlineData("LLMQUEUE_TOKENS", "web:s3cret,app:s3cret", "LLMQUEUE_TOKENS: 'app' and 'web' have the same secret")]
    [InlineData("GROQ_SUMMARY_MODELS", "a b", "GROQ_SUMMARY_MODELS has 'a b'; expected models")]
    public void A_wrong_value_stops_the_start_and_no_secret_is_told(string name, string value, string sentence)
    {
        var fault = Assert.Throws<SettingsException>(() => SettingsTests.Read((name, value)));

        Assert.StartsWith(sentence, Assert.Single(fault.Problems));
        Assert.DoesNotContain("s3cret", fault.Message);
    }

    [Fact]
    public void The_same_key_twice_is_refused()
    {
        var fault = Assert.Throws<SettingsException>(() => SettingsTests.Read(("GROQ_API_KEY", "s3cret"), ("GROQ_API_KEY_2", "s3cret")));

        Assert.StartsWith("GROQ_API_KEY_2 has the same key as GROQ_API_KEY;", fault.Message);
        Assert.DoesNotContain("s3cret", fault.Message);
    }

    [Fact]
    public void Two_first_keys_are_refused() =>
        Assert.StartsWith("GROQ_API_KEY and GROQ_API_KEY_1 are both key 1 of groq",
            Assert.Throws<SettingsException>(() => SettingsTests.Read(("GROQ_API_KEY", "a"), ("GROQ_API_KEY_1", "b"))).Message);

    [Fact]
    public void All_problems_are_told_together() =>
        Assert.Equal(3, Assert.Throws<SettingsException>(
            () => SettingsTests.Read(("BUDGET_DAILY_USD", "x"), ("LLMQUEUE_URL", "x"), ("RABBITMQ_URL", "x"))).Problems.Count);

    [Theory]
    [InlineData("GROQ_APIKEY", "did you mean GROQ_API_KEY?")]
    [InlineData("GROQ_API_KEYS", "did you mean GROQ_API_KEY?")]
    [InlineData("groq_api_key", "did you mean GROQ_API_KEY?")]
    [InlineData("GROQ_ORG", "did you mean GROQ_ORG_1?")]
    [InlineData("LLMQUEUE_TOKEN", "did you mean LLMQUEUE_TOKENS?")]
    [InlineData("LLMQUEUE_COLOUR_SCHEME", "see .env.example")]
    [InlineData("DATABASE_URI", "did you mean DATABASE_URL?")]
    [InlineData("RABBIT_MQ_URL", "did you mean RABBITMQ_URL?")]
    [InlineData("GROQ_BASE_URL", "GROQ_BASE_URL is set but GROQ_API_KEY is not")]
    [InlineData("GROQ_ORG_2", "GROQ_API_KEY_2 is not set")]
    public void What_looks_like_a_slip_is_said_and_does_not_stop_the_start(string name, string sentence) =>
        Assert.Contains(sentence, Assert.Single(SettingsTests.Read((name, "http://127.0.0.1/v1")).Warnings));

    [Theory]
    [InlineData("OPENAI_ORG_ID")]
    [InlineData("ANTHROPIC_MODEL")]
    [InlineData("LOCALE")]
    [InlineData("DATABASE_HOST")]
    [InlineData("PATH")]
    public void Other_programs_variables_are_none_of_our_business(string name) => Assert.Empty(SettingsTests.Read((name, "x")).Warnings);

    [Fact]
    public void A_line_break_after_a_key_is_left_out_with_a_word()
    {
        var settings = SettingsTests.Read(("GROQ_API_KEY", "gsk_one\n"));

        Assert.Equal("gsk_one", settings.Providers["groq"].Keys[0].Secret);
        Assert.StartsWith("GROQ_API_KEY has spaces or a line break around the key", Assert.Single(settings.Warnings));
    }

    [Fact]
    public void An_open_door_without_tokens_is_said() =>
        Assert.StartsWith("LLMQUEUE_URL is http://0.0.0.0:8080/ but LLMQUEUE_TOKENS is not set",
            Assert.Single(SettingsTests.Read(("LLMQUEUE_URL", "http://0.0.0.0:8080")).Warnings));
}
