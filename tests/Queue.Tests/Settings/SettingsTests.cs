using LlmQueue.Hosting.Settings;
using LlmQueue.Tests.Api;
using Npgsql;
using Xunit;

namespace LlmQueue.Tests.Settings;

public sealed class SettingsTests
{
    [Fact]
    public void Nothing_set_is_the_installation_of_one_machine_without_keys()
    {
        var settings = Read();

        Assert.True(settings.NoKeys);
        Assert.Null(settings.DatabaseUrl);
        Assert.Null(settings.RabbitMqUrl);
        Assert.Null(settings.DailyBudgetUsd);
        Assert.Null(settings.SummaryModels);
        Assert.Empty(settings.Tokens);
        Assert.Empty(settings.Warnings);
        Assert.Equal("/home/queue/.data", settings.DataFolder);
        Assert.Equal("/home/queue/catalogue.json", settings.CataloguePath);
        Assert.Equal(new Uri("http://127.0.0.1:8080"), settings.ListenUrl);
    }

    [Fact]
    public void Keys_are_numbered_and_an_empty_value_is_no_key()
    {
        var settings = Read(("GROQ_API_KEY", "gsk_one"), ("GROQ_API_KEY_3", "gsk_three"), ("GROQ_ORG_3", "acme"), ("MISTRAL_API_KEY", " "));

        Assert.Equal(["groq"], settings.Providers.Keys);
        Assert.Equal(new Uri("https://api.groq.com/openai/v1"), settings.Providers["groq"].BaseUrl);
        Assert.Equal(
            [new ProviderKey("groq", 1, "groq-1", "groq-1", "gsk_one"), new ProviderKey("groq", 3, "groq-3", "acme", "gsk_three")],
            settings.Providers["groq"].Keys);
        Assert.False(settings.NoKeys);
    }

    [Fact]
    public void A_local_endpoint_needs_no_key()
    {
        var settings = Read(("LOCAL_BASE_URL", "http://127.0.0.1:9100/v1/"));

        Assert.Equal(new Uri("http://127.0.0.1:9100/v1"), settings.Providers["local"].BaseUrl);
        Assert.Equal("local-1", Assert.Single(settings.Providers["local"].Keys).Alias);
        Assert.Equal(new Uri("http://127.0.0.1:11434/v1"), Read(("LOCAL_API_KEY", "any")).Providers["local"].BaseUrl);
    }

    [Fact]
    public void No_secret_is_printed()
    {
        var settings = Read(("GROQ_API_KEY", "s3cret"), ("LLMQUEUE_TOKENS", "web:s3cret"), ("RABBITMQ_URL", "amqp://u:s3cret@h"),
            ("DATABASE_URL", "postgres://u:s3cret@h/d"));

        var printed =
            $"{settings} {settings.Providers["groq"]} {settings.Providers["groq"].Keys[0]} {settings.Tokens[0]} {settings.RabbitMq}";
        Assert.DoesNotContain("s3cret", printed);
        Assert.Contains("groq-1", printed);
    }

    [Theory]
    [InlineData("postgres://ann:p%40ss%2Fw%20rd@db.example:6543/tasks", "db.example", 6543, "ann", "p@ss/w rd", "tasks")]
    [InlineData("postgresql://ann:p#ss?w/rd@db/tasks", "db", 5432, "ann", "p#ss?w/rd", "tasks")]
    [InlineData("postgres://ann:p@ss:w@rd@db/tasks", "db", 5432, "ann", "p@ss:w@rd", "tasks")]
    [InlineData("postgres://ann@[::1]:6000/tasks", "::1", 6000, "ann", null, "tasks")]
    [InlineData("Host=db;Port=6000;Username=ann;Password=x;Database=tasks", "db", 6000, "ann", "x", "tasks")]
    public void A_database_is_taken_as_url_or_as_npgsql_string(
        string url, string host, int port, string user, string? password, string database)
    {
        var builder = new NpgsqlConnectionStringBuilder(Read(("DATABASE_URL", url)).DatabaseUrl);

        Assert.Equal((host, port, user, password, database),
            (builder.Host, builder.Port, builder.Username, builder.Password, builder.Database));
    }

    [Fact]
    public void The_options_hosted_databases_put_into_their_urls_are_understood()
    {
        var builder = new NpgsqlConnectionStringBuilder(
            Read(("DATABASE_URL", "postgres://u:p@h/d?sslmode=verify-full&channel_binding=require&application_name=queue")).DatabaseUrl);

        Assert.Equal((SslMode.VerifyFull, ChannelBinding.Require, "queue"),
            (builder.SslMode, builder.ChannelBinding, builder.ApplicationName));
    }

    [Theory]
    [InlineData("amqp://host", "host", 5672, "/", "guest", "guest", false)]
    [InlineData("amqp://host/", "host", 5672, "/", "guest", "guest", false)]
    [InlineData("amqp://host/%2F", "host", 5672, "/", "guest", "guest", false)]
    [InlineData("amqp://host/%2Fmy", "host", 5672, "/my", "guest", "guest", false)]
    [InlineData("amqp://an%40n:p%3Ass@host:5000/my", "host", 5000, "my", "an@n", "p:ss", false)]
    [InlineData("amqps://ann:p@[::1]/my%20host", "::1", 5671, "my host", "ann", "p", true)]
    public void A_broker_is_decoded(string url, string host, int port, string virtualHost, string user, string password, bool tls)
    {
        var settings = Read(("RABBITMQ_URL", url));

        Assert.Equal(new RabbitMqAddress(host, port, virtualHost, user, password, tls), settings.RabbitMq);
        Assert.Equal(settings.RabbitMq, Read(("RABBITMQ_URL", settings.RabbitMqUrl!.AbsoluteUri)).RabbitMq);
    }

    [Fact]
    public void Pools_of_both_providers_are_one_list_of_models()
    {
        var settings = Read(("GROQ_SUMMARY_MODELS", "qwen/qwen3-32b, openrouter:openai/gpt-oss-20b:free,,qwen/qwen3-32b"),
            ("OPENAI_SUMMARY_MODELS", "gpt-x:free"), ("SYNTHESIS_MODEL_OPENAI", "big"));

        Assert.Equal(["groq:qwen/qwen3-32b", "openrouter:openai/gpt-oss-20b:free", "openai:gpt-x:free"], settings.SummaryModels);
        Assert.Equal(["openai:big"], settings.SynthesisModels);
    }

    [Theory]
    [InlineData("http://*:8080", "http://0.0.0.0:8080/")]
    [InlineData("http://+:9000", "http://0.0.0.0:9000/")]
    [InlineData("http://0.0.0.0", "http://0.0.0.0/")]
    public void Kestrels_wildcards_are_every_address(string found, string url) =>
        Assert.Equal(url, Read(("LLMQUEUE_URL", found), ("LLMQUEUE_TOKENS", "a:b,")).ListenUrl.AbsoluteUri);

    [Fact]
    public void The_real_environment_wins_over_the_file()
    {
        var home = Directory.CreateTempSubdirectory("llmqueue-settings").FullName;
        File.WriteAllText(Path.Combine(home, ".env"),
            "# ours\nexport QUEUE_TEST_ONLY=from file\nPATH=from file\nQUEUE_TEST_URL=\"postgres://u:p#x@h/d\" # why\n");

        var variables = QueueSettings.Variables(home);

        Assert.Equal("from file", variables["QUEUE_TEST_ONLY"]);
        Assert.Equal("postgres://u:p#x@h/d", variables["QUEUE_TEST_URL"]);
        Assert.NotEqual("from file", variables["PATH"]);
        Directory.Delete(home, recursive: true);
    }

    internal static QueueSettings Read(params (string Name, string Value)[] variables) =>
        QueueSettings.Read(variables.ToDictionary(pair => pair.Name, pair => (string?)pair.Value), "/home/queue");
}
