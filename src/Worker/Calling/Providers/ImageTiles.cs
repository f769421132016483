using LlmQueue.OpenAi;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>The tiles that models cut an image into. Pure.</summary>
internal static class ImageTiles
{
    extension(ImageSize size)
    {
        public int Pixels => (int)Math.Min(int.MaxValue, (long)size.Width * size.Height);

        /// <summary>Squares of that side that cover it.</summary>
        public int Tiles(int side) => Across(size.Width, side) * Across(size.Height, side);

        /// <summary>Rows of squares of that side.</summary>
        public int Rows(int side) => Across(size.Height, side);

        /// <summary>Shrunk until neither the longer side is above the one nor the shorter above the other; never made larger.</summary>
        public ImageSize Within(int longer = int.MaxValue, int shorter = int.MaxValue)
        {
            var byLonger = (double)longer / Math.Max(size.Width, size.Height);
            var byShorter = (double)shorter / Math.Min(size.Width, size.Height);
            var factor = Math.Min(1, Math.Min(byLonger, byShorter));
            return new ImageSize(Math.Max(1, (int)Math.Ceiling(size.Width * factor)), Math.Max(1, (int)Math.Ceiling(size.Height * factor)));
        }
    }

    private static int Across(int length, int side) => (length + side - 1) / side;
}
