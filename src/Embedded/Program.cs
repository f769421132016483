return await LlmQueue.Embedded.QueueCommands.Run(args);
