namespace LlmQueue.OpenAi;

/// <summary>An error in an input file; <paramref name="Line"/> counts from 1.</summary>
public sealed record BatchError(string Code, string Message, string? Param, int? Line);

/// <summary>One line of an output or an error file.</summary>
public sealed record BatchOutputLine(string Id, string CustomId, BatchResponse? Response, BatchFailure? Error);

/// <summary>The response to one request; a refusal's body has the member <c>error</c>.</summary>
public sealed record BatchResponse(int StatusCode, string RequestId, object Body);

/// <summary>The reason why a request has no response.</summary>
public sealed record BatchFailure(string Code, string Message);
