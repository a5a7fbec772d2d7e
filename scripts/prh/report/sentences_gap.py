"""What the figure on the modality gap says; see `story.TOLD`."""


def gap(_run, numbers):
    """How far apart two towers lie. numbers: rows of the table GAP."""
    asked = ["Where a model was trained to bring images and their texts together, do they lie together?"]
    drawn = [
        "Left, mean cosines as the model has them. Then, as all images are moved along the line from the mean of images to the mean of texts: "
        "the loss that such models are trained with, how often a partner is the nearest of all, and agreement on neighbours."
    ]
    found = []
    for model, rows in numbers.groupby("model", sort=False):
        now, best = rows[rows["shift"] == 0].iloc[0], rows.loc[rows.loss.idxmin()]
        found.append(
            f"{model}: a gap of {now.gap:.3f} [{now.gap_low:.3f}, {now.gap_high:.3f}] of at most 2; "
            f"{now.image_to_text:.0%} of images find their text first, {now.text_to_image:.0%} of texts their image. The loss is least at a gap "
            f"of {best.gap:.3f}. Mutual k-NN of images with texts is {now.mutual_knn:.3f} as the model has them, {rows.mutual_knn.min():.3f} to "
            f"{rows.mutual_knn.max():.3f} over all shifts."
        )
        if now.captions_cut:
            found.append(
                f"{now.captions_cut:,} of {now.n:,} captions are longer than its text tower takes, and are cut."
            )
    return asked, drawn, found, ["Defined within one space only: the other models of the run have no gap."]
