"""Reads PromQL as far as our dashboard and alert rules speak it: read(text) gives the selectors that it found, or raises."""
import re

TOKEN = re.compile(r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\d+(?:ms|[smhdwy]))|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_:][\w:]*)"""
                   r"""|(?P<op>==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}\[\],]))""")
AGGREGATES = {"sum", "count", "min", "max", "avg", "topk", "bottomk"}
FUNCTIONS = {"rate": "range", "increase": "range", "changes": "range", "time": "", "vector": "number", "histogram_quantile": "number vector",
             "clamp_max": "vector number"}
LEVELS = [{"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/", "%"}, {"^"}]


class Selector:
    def __init__(self, name, matchers):
        self.name, self.matchers = name, matchers


class Reader:
    def __init__(self, text):
        self.tokens, self.at, self.selectors, self.grouped = [], 0, [], []
        place = 0
        text = text.rstrip()
        while place < len(text):
            match = TOKEN.match(text, place)
            assert match, f"cannot be read from here: {text[place:place + 30]!r}"
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def kind(self):
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def take(self, wanted=None, kind=None):
        assert self.at < len(self.tokens), f"it ends where {wanted or kind} should come"
        has, text = self.tokens[self.at]
        assert (wanted is None or text == wanted) and (kind is None or has == kind), f"{text!r} in place of {wanted or kind}"
        self.at += 1
        return text

    def names(self):
        self.take("(")
        found = []
        while self.peek() != ")":
            found.append(self.take(kind="name"))
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        return found

    def expression(self, level=0):
        if level == len(LEVELS):
            return self.unary()
        left = self.expression(level + 1)
        while self.peek() in LEVELS[level]:
            op = self.take()
            labels = None
            if self.peek() == "bool":
                self.take()
            if self.peek() in ("on", "ignoring"):
                self.take()
                labels = self.names()
                if self.peek() in ("group_left", "group_right"):
                    self.take()
                    self.names()
            right = self.expression(level + 1)
            if op in ("and", "or", "unless"):
                assert left == right == "vector", f"{op} of {left} and {right}"
                assert labels is None or labels, "an empty on()"
            assert "range" not in (left, right), "a range has no sums"
            left = "vector" if "vector" in (left, right) else "number"
        return left

    def unary(self):
        if self.peek() == "-":
            self.take()
            return self.unary()
        if self.peek() == "(":
            self.take()
            kind = self.expression()
            self.take(")")
            return kind
        if self.kind() == "number":
            self.take()
            return "number"
        name = self.take(kind="name")
        if name in AGGREGATES:
            return self.aggregate()
        if name in FUNCTIONS:
            self.take("(")
            for number, wanted in enumerate(FUNCTIONS[name].split()):
                if number > 0:
                    self.take(",")
                got = self.expression()
                assert got == wanted, f"{name}() of a {got}"
            self.take(")")
            return "number" if name == "time" else "vector"
        assert self.peek() != "(", f"no function {name}()"
        return self.selector(name)

    def aggregate(self):
        grouped = []
        if self.peek() in ("by", "without"):
            self.take()
            grouped = self.names()
        first = len(self.selectors)
        self.take("(")
        assert self.expression() == "vector"
        self.take(")")
        self.grouped += [(selector.name, grouped) for selector in self.selectors[first:]]
        return "vector"

    def selector(self, name):
        matchers = {}
        if self.peek() == "{":
            self.take()
            while self.peek() != "}":
                label = self.take(kind="name")
                op = self.take()
                assert op in ("=", "!=", "=~", "!~"), op
                value = self.take(kind="string")[1:-1]
                if op.endswith("~"):
                    re.compile(value.replace("$", ""))
                matchers[label] = op, value
                if self.peek() != "}":
                    self.take(",")
            self.take("}")
        self.selectors.append(Selector(name, matchers))
        if self.peek() != "[":
            return "vector"
        self.take()
        self.take(kind="duration")
        self.take("]")
        return "range"


def read(text):
    """(selectors, [(metric, labels that its sum keeps)])"""
    reader = Reader(text)
    reader.expression()
    assert reader.at == len(reader.tokens), f"more behind the end: {reader.tokens[reader.at:]}"
    return reader.selectors, reader.grouped
