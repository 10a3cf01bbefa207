"""What the pictures of `plots/` show, in words for people who have not read the code."""

from __future__ import annotations

#: name of the picture, without steps, slots and numbers of images -> what it shows.
_CAPTIONS = {
    "reconstructions": (
        "A row for each example: the image, and what the model makes of it. Where a column is called 'on "
        "target', the target is red and the reconstruction green: yellow where both agree."
    ),
    "object_capsules": (
        "A row for each image: the image, all objects together, and what each object capsule would draw "
        "alone. The yellow bar is its share of the posterior mass."
    ),
    "templates": (
        "What each part capsule draws; a column for each part, a row for each image where its color "
        "depends on the image."
    ),
    "transformed_templates": (
        "Each part's template in its place, inferred from the image (red) and predicted by the objects "
        "(green); yellow where both agree. The bar shows how present the part is."
    ),
    "presences": (
        "A row for each image: how present each part is, and each object by its prior and by its "
        "posterior; a cell for each capsule, from dark (absent) to yellow (present)."
    ),
    "label_correlation": (
        "How closely the presence of each object capsule, a column, follows each label, a row: 1 is yellow."
    ),
    "constellations": (
        "Left: the points, a shape for each true pattern; right: their outlines and the votes that explain "
        "them, in the color of their capsule. Below, a bar for each capsule shows how present it is."
    ),
    "slots": "A row for each image: what each slot draws.",
    "masks": "A row for each image: where each slot is visible, from black (nowhere) to white.",
    "attention": "A row for each image: where each slot looks.",
    "stages": (
        "One image, a row for each stage of the inference: reconstruction, segmentation, what slots draw, "
        "their masks, and where they look."
    ),
    "rinfo": (
        "One test scene, a row for each stage of the inference: reconstruction, segmentation, what slots "
        "draw, their masks, and where they look."
    ),
    "tsne": (
        "A point for each validation image: its posterior presences in two dimensions by t-SNE, in the "
        "color of its label."
    ),
    "traversal": (
        "A row for each latent of one slot: what is drawn as that latent moves from its smallest to its "
        "largest value."
    ),
    "gif": "A latent of one slot moves from its smallest to its largest value.",
}


def caption(name: str) -> str:
    """Returns what a picture shows; "" where its name says nothing."""
    if name.endswith(".gif"):
        return _CAPTIONS["gif"]
    parts = name.split(".")[0].split("_")
    whole = "_".join(part for part in parts if not part.isdecimal())
    return _CAPTIONS.get(whole) or _CAPTIONS.get(parts[-1], "")
