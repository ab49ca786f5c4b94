"""How deep and how large YAML may be, whoever wrote it."""

import math

import yaml

# Far more than a person writes, far less than libyaml's own stack holds.
DEEPEST = 100


class TooDeep(yaml.MarkedYAMLError):
    """A file that is nested deeper than `DEEPEST`."""


class NestingBound:
    """For a loader: stops libyaml's composer, which recurses, long before its stack ends."""

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Called at the beginning of each node; `current_node` is the one around it."""
        self._depth += 1
        if current_node is not None and self._depth > DEEPEST + 1:
            mark = current_node.start_mark
            raise TooDeep(problem="is nested too deeply", problem_mark=mark)

    def ascend_resolver(self) -> None:
        """Called at the end of each node."""
        self._depth -= 1


def is_bounded(root: yaml.Node, values: int) -> bool:
    """Whether there are no more values than that, and none too deep, once aliases are written out;
    one inside of what it stands for has no end."""
    known: dict[int, tuple[float, float]] = {}

    def size_and_depth(node: yaml.Node) -> tuple[float, float]:
        if id(node) not in known:
            known[id(node)] = math.inf, math.inf
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            pairs = (one if isinstance(one, tuple) else (one,) for one in inner)
            found = [size_and_depth(each) for pair in pairs for each in pair]
            size = 1 + sum(size for size, _ in found)
            known[id(node)] = size, 1 + max((depth for _, depth in found), default=0)
        return known[id(node)]

    size, depth = size_and_depth(root)
    return size <= values and depth <= DEEPEST + 1
