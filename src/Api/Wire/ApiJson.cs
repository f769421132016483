using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace LlmQueue.Api.Wire;

/// <summary>The JSON format of answers: camelCase, apostrophes and umlauts unescaped, amounts without trailing zeros.</summary>
public static class ApiJson
{
    public static void Configure(JsonSerializerOptions options)
    {
        // The answers are never part of a page, so nothing needs to be escaped for HTML.
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new Money());
        options.TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { GeneralFirst } };
    }

    /// <summary>What a list shows stands first in the whole as well: the serializer would begin with the details.</summary>
    private static void GeneralFirst(JsonTypeInfo type)
    {
        if (type.Kind is not JsonTypeInfoKind.Object || type.Type.BaseType is null || type.Type.BaseType == typeof(object))
            return;
        foreach (var property in type.Properties.Where(p => p.Order == 0))
            property.Order = Depth((property.AttributeProvider as MemberInfo)?.DeclaringType);
    }

    private static int Depth(Type? type)
    {
        var depth = 0;
        for (; type is not null; type = type.BaseType)
            depth++;
        return depth;
    }

    private sealed class Money : JsonConverter<decimal>
    {
        public override decimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDecimal();

        // A division by this 1 drops the zeros that the column's nine decimal places add.
        public override void Write(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value / 1.0000000000000000000000000000m);
    }
}
