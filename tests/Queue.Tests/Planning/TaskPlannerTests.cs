using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Planning.Transitions;

namespace LlmQueue.Tests.Planning;

public sealed class TaskPlannerTests
{
    private static readonly IReadOnlyList<Type> Steps =
        [.. typeof(IPlanningStep).Assembly.GetTypes().Where(t => t.IsClass && t.IsAssignableTo(typeof(IPlanningStep)))];

    [Fact]
    public void The_planner_runs_every_step_and_the_order_is_the_order_of_its_constructor() =>
        Assert.Equal(
            [
                typeof(EstimateStep), typeof(ReadImagesStep), typeof(ContinueConversationStep), typeof(ClassifyStep), typeof(RouteStep),
                typeof(SplitStep), typeof(AdmitStep),
            ],
            HandedTo(typeof(TaskPlanner)));

    [Fact]
    public void No_step_is_left_out() => Assert.Equal(Steps.OrderBy(t => t.Name), HandedTo(typeof(TaskPlanner)).OrderBy(t => t.Name));

    [Fact]
    public void No_step_knows_another() => Assert.DoesNotContain(Steps, KnowsAStep);

    [Fact]
    public void A_step_that_knows_another_is_found() => Assert.True(KnowsAStep(typeof(CuriousStep)));

    private static bool KnowsAStep(Type step) => HandedTo(step).Any(t => t.IsAssignableTo(typeof(IPlanningStep)));

    private static IEnumerable<Type> HandedTo(Type type) => type.GetConstructors().Single().GetParameters().Select(p => p.ParameterType);

    private sealed class CuriousStep(RouteStep route) : IPlanningStep
    {
        public ValueTask<NextStep?> Plan(TaskTransition transition) => route.Plan(transition);
    }
}
