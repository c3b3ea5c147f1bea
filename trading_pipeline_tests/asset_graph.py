"""The asset graph as Mermaid text, from the definitions; writes it into the README.

``python -m trading_pipeline_tests.asset_graph`` after an asset or a dependency changed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from trading_pipeline.config import Settings
from trading_pipeline.definitions import build_definitions

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = re.compile(r"^(```mermaid\n)(.*?)(^```)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AssetGraph:
    """Group and direct upstream assets of every asset."""

    groups: Mapping[str, str]
    parents: Mapping[str, frozenset[str]]

    @classmethod
    def of_the_code_location(cls) -> "AssetGraph":
        """Return the graph of the definitions with the default settings."""
        specs = build_definitions(Settings()).resolve_all_asset_specs()
        names = {spec.key: spec.key.to_user_string() for spec in specs}
        return cls(
            {names[spec.key]: str(spec.group_name) for spec in specs},
            {names[spec.key]: frozenset(names[d.asset_key] for d in spec.deps) for spec in specs},
        )

    def in_order(self) -> list[str]:
        """Return every asset, upstream first."""
        by_name = {name: sorted(self.parents[name]) for name in sorted(self.parents)}
        return list(TopologicalSorter(by_name).static_order())

    def edges(self) -> list[tuple[str, str]]:
        """Return the dependencies, without those that follow from the others."""
        return [
            (parent, child)
            for child in self.in_order()
            for parent in sorted(self.parents[child])
            if not any(parent in self.ancestors(other) for other in self.parents[child])
        ]

    def ancestors(self, asset: str) -> set[str]:
        """Return everything upstream of ``asset``."""
        direct = self.parents[asset]
        return set(direct).union(*(self.ancestors(parent) for parent in direct))


def mermaid(graph: AssetGraph) -> str:
    """Return the graph as a Mermaid flowchart: a box per group, an arrow per dependency."""
    return "".join(f"{line}\n" for line in _lines(graph))


def _lines(graph: AssetGraph) -> Iterator[str]:
    yield "flowchart TB"
    order = graph.in_order()
    for group in dict.fromkeys(graph.groups[asset] for asset in order):
        # A box may not have the name of a node, and "signals" is both.
        yield f"  subgraph {group}_group [{group}]"
        yield "    " + "; ".join(asset for asset in order if graph.groups[asset] == group)
        yield "  end"
    edges = graph.edges()
    for asset in order:
        if children := [child for parent, child in edges if parent == asset]:
            yield f"  {asset} --> {' & '.join(children)}"


if __name__ == "__main__":
    picture = mermaid(AssetGraph.of_the_code_location())
    README.write_text(BLOCK.sub(lambda old: old[1] + picture + old[3], README.read_text()))
