return await LlmQueue.Worker.WorkerHost.Run(args);
