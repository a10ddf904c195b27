"""Which networks a recipe trains, one after the other, and where each has its run. No torch: panels look, too."""

from __future__ import annotations

from pathlib import Path

from napari_bioseg.training.recipe import Recipe


def parts(recipe: Recipe) -> list[Recipe]:
    """Return a recipe for each network: each of `members` with each of `seeds`; most recipes have but one."""
    return [
        recipe.model_copy(update={**options, "seed": seed, "members": (), "seeds": ()})
        for options in [member.options for member in recipe.members] or [{}]
        for seed in recipe.seeds or (recipe.seed,)
    ]


def member_runs(recipe: Recipe, folder: Path) -> list[tuple[Path, Recipe]]:
    """Return the folder and the recipe of each of `parts`: of one `folder`, of several ``member-1`` and so on there."""
    todo = parts(recipe)
    return [(folder / f"member-{n}" if len(todo) > 1 else folder, part) for n, part in enumerate(todo, start=1)]


def fold_runs(recipe: Recipe, folder: Path) -> list[tuple[Path, Recipe]]:
    """Return where what each fold leaves out is trained without, ``fold-1`` and so on, and by which recipe."""
    return [(folder / f"fold-{n}", recipe.without_fold(fold)) for n, fold in enumerate(recipe.folds, start=1)]


def final_run(recipe: Recipe, folder: Path) -> Path:
    """Return where the model itself is trained, on all groups: with folds in ``final``."""
    return folder / "final" if recipe.folds else folder


def network_runs(recipe: Recipe, folder: Path) -> list[tuple[Path, Recipe]]:
    """Return where each network of a run is trained, and by which recipe, in the order in which they are.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        Of the run.
    """
    final = [(final_run(recipe, folder), recipe)] if recipe.ensemble == "none" else []
    return [run for base, part in [*fold_runs(recipe, folder), *final] for run in member_runs(part, base)]
