namespace LlmQueue.OpenAi;

/// <summary>What is wrong with an input file; <paramref name="Line"/> counts from 1.</summary>
public sealed record BatchError(string Code, string Message, string? Param, int? Line);

/// <summary>One line of an output or an error file.</summary>
public sealed record BatchOutputLine(string Id, string CustomId, BatchResponse? Response, BatchFailure? Error);

/// <summary>What the request was answered with; a refusal's body has the member <c>error</c>.</summary>
public sealed record BatchResponse(int StatusCode, string RequestId, object Body);

/// <summary>Why a request was not answered at all.</summary>
public sealed record BatchFailure(string Code, string Message);
