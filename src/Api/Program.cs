return await LlmQueue.Api.ApiHost.Run(Console.Error);
