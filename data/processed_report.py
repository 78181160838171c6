"""The report at the end of preprocessing: what was made, and what was dropped or changed and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data.corpus.document import category_counts
from data.problems import Problems
from data.processed import Processed
from utils.memory import peak_memory_mib


def describe(processed: Processed, problems: Problems, lost: int, covered: float | None) -> dict[str, Any]:
    """The report as values, for the manifest.

    Args:
        processed: all of it but the report itself.
        problems: of reading it.
        lost: spans that are whole in no segment.
        covered: share of the words that have a vector; None if vectors are random.
    """
    lattices, parts = processed.lattices, np.array(processed.parts)
    lengths = np.diff(lattices.token_offsets)
    segment_parts = parts[processed.segments[:, 0]] if len(processed.segments) else parts[:0]
    report: dict[str, Any] = {"parts": {}, "categories": {}}
    for part in dict.fromkeys(processed.parts):
        own = [processed.documents[number] for number in processed.of_part(part)]
        report["parts"][part] = {
            "documents": len(own),
            "segments": int((segment_parts == part).sum()),
            "characters": int(lengths[parts == part].sum()),
            "spans": sum(len(document.spans) for document in own),
        }
        report["categories"][part] = dict(category_counts(own).most_common())
    characters = max(int(lengths.sum()), 1)
    return report | {
        "groups": len(set(processed.groups[np.isin(processed.parts, ("train", "dev"))].tolist())),
        "words": len(processed.lexicon.words),
        "words_per_character": len(lattices.words) / characters,
        "vocabulary_coverage": float((lattices.tokens != processed.vocabulary.unknown).mean()) if characters else 1.0,
        "vector_coverage": covered,
        "spans_that_no_segment_holds": lost,
        "dropped": dict(problems.counts),
        "changed": dict(problems.changed),
    }


def print_report(report: dict[str, Any], problems: Problems, folder: Path, seconds: float) -> None:
    """Print the report; what was dropped or changed comes last."""
    print(f"{'part':<12}{'documents':>10}{'segments':>10}{'characters':>12}{'spans':>8}")
    for part, counts in report["parts"].items():
        print(
            f"{part:<12}{counts['documents']:>10}{counts['segments']:>10}{counts['characters']:>12}{counts['spans']:>8}"
        )
    for part, categories in report["categories"].items():
        if categories:
            print(f"spans, {part}: " + ", ".join(f"{category} {count}" for category, count in categories.items()))
    covered = report["vector_coverage"]
    print(
        f"{report['words']} words, {report['words_per_character']:.2f} per character; "
        f"vocabulary covers {report['vocabulary_coverage']:.2%} of the characters; "
        f"vectors {'are random' if covered is None else f'for {covered:.1%} of the words'}; "
        f"{report['groups']} groups of near-duplicate texts to train on or hold out"
    )
    memory = peak_memory_mib()
    used = f" and {memory:.0f} MiB" if memory else ""
    characters = sum(counts["characters"] for counts in report["parts"].values())
    print(f"{folder}: {characters} characters in {seconds:.1f} s{used}")
    print(problems.report())
