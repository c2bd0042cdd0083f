"""YAML as `kubectl apply` takes it: several documents, JSON's types only, no key twice, line numbers kept.

Bounded: a file of aliases that unfolds into millions of nodes, or is nested without end, is refused. Dates stay
text, as Kubernetes reads them. It does not guarantee anything about what the documents mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from mixhaul_source.errors import ManifestNotYaml

Path = tuple[str | int, ...]

_MOST_NODES: Final = 100_000
_DEEPEST: Final = 64
_MERGE: Final = "tag:yaml.org,2002:merge"
_TEXT: Final = "tag:yaml.org,2002:str"
_TIME: Final = "tag:yaml.org,2002:timestamp"
_COLLECTIONS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("map", "seq"))
_SCALARS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


@dataclass(frozen=True, slots=True)
class Document:
    """One document and the line of each of its nodes."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int | None:
        """The line of a node; of its nearest parent where the path is not there."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def read(text: str, *, file: str) -> Iterator[Document]:
    """All documents that are not empty."""
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            builder = _Builder(file, loader)
            value = builder.build(node, ())
            if value is not None:
                yield Document(value, builder.lines)
    except yaml.reader.ReaderError as error:
        character = error.character if isinstance(error.character, int) else 0
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        problem = f"the character U+{character:04X} is not allowed here"
        raise ManifestNotYaml(file, line=line, column=column, problem=problem) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise ManifestNotYaml(
            file,
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
            problem=problem or "it ends too early",
        ) from error
    except RecursionError as error:
        raise ManifestNotYaml(file, line=None, column=None, problem="it is nested too deeply") from error


class _Loader(yaml.SafeLoader):
    """Takes for numbers what kubectl's YAML library does: `1e9` is one, the base-60 `12:30` of YAML 1.1 is none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$", "-+0123456789."),
    ("float", r"\.(?:nan|NaN|NAN)$", "."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class _Builder:
    """Makes plain values of one document's nodes, counting what aliases unfold into."""

    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self.lines: dict[Path, int] = {}
        self._file = file
        self._loader = loader
        self._nodes = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise self._refuse(node, f"its aliases unfold into more than {_MOST_NODES} nodes")
        if len(path) > _DEEPEST:
            raise self._refuse(node, f"it is nested more than {_DEEPEST} levels deep")
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
            raise self._refuse(node, f"the tag {node.tag!r} is not allowed: write a plain mapping or list")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refuse(key_node, "a key must be a plain word, not a list or mapping")
            if key_node.tag == _MERGE:
                merged.extend(self._to_merge(value_node, path))
                continue
            key = key_node.value
            if key in found:
                raise self._refuse(key_node, f"the key {key!r} is there twice: remove one")
            found[key] = self.build(value_node, (*path, key))
        for other in merged:
            found = other | found
        return found

    def _to_merge(self, node: yaml.Node, path: Path) -> list[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [self.build(item, (*path, "<<")) for item in nodes]
        if not all(isinstance(value, dict) for value in values):
            raise self._refuse(node, "'<<' takes a mapping or a list of mappings")
        return values

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag in (_TEXT, _TIME):
            return node.value
        if node.tag not in _SCALARS:
            raise self._refuse(node, f"the tag {node.tag!r} is not allowed: write a plain value")
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            raise self._refuse(node, f"{node.value[:40]!r} is no {node.tag.rpartition(':')[2]}") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refuse(node, f"{node.value!r} is no number that JSON knows")
        return value

    def _refuse(self, node: yaml.Node, problem: str) -> ManifestNotYaml:
        mark = node.start_mark
        return ManifestNotYaml(self._file, line=mark.line + 1, column=mark.column + 1, problem=problem)
