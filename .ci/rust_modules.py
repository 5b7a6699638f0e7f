"""Reads Rust crates as far as their structure goes: which module each file is,
what it defines, how long its functions are, and which paths it names.

It is no compiler: macros are not expanded, and a method is not looked up by its
type. Code under `#[cfg(test)]` is left out."""

import posixpath
import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>//[^\n]*|/\*)
    |(?P<text>[bc]?r(?P<hash>\#*)".*?"(?P=hash)|[bc]?"(?:\\.|[^"\\])*"
        |b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'])')
    |(?P<lifetime>'\w+)
    |(?P<name>(?:r\#)?[^\W\d]\w*)
    |(?P<number>\d\w*)
    |(?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = set("([{"), set(")]}")
ITEMS = {"struct", "enum", "union", "trait", "type", "const", "static", "fn"}
# What a path outside of the crates that are read resolves to.
ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    line: int


@dataclass
class Function:
    name: str
    file: str
    line: int
    length: int


@dataclass
class Module:
    """A module: a file, or a part of one between braces."""

    file: str
    folder: str  # where the files of its children are
    parent: "Module | None" = None
    children: dict = field(default_factory=dict)
    items: set = field(default_factory=set)
    uses: dict = field(default_factory=dict)  # a name, and the path it stands for
    globs: list = field(default_factory=list)
    paths: list = field(default_factory=list)  # (path, line) of all that it names

    @property
    def root(self):
        return self.parent.root if self.parent else self


@dataclass
class Crate:
    name: str
    roots: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    constants: list = field(default_factory=list)  # (name, file, line)
    files: dict = field(default_factory=dict)  # a path, and how many lines it has
    test_files: set = field(default_factory=set)
    code_lines: int = 0
    comment_lines: int = 0

    def modules(self):
        waiting = list(self.roots)
        while waiting:
            module = waiting.pop()
            yield module
            waiting.extend(module.children.values())


def tokens_of(text):
    """The tokens of a source without comments, and the lines that are comment."""
    tokens, comment_lines, position, line = [], set(), 0, 1
    while position < len(text):
        match = TOKEN.match(text, position)
        kind, piece = match.lastgroup, match.group()
        if piece == "/*":
            piece = text[position : end_of_comment(text, position)]
        if kind == "comment":
            comment_lines.update(range(line, line + 1 + piece.count("\n")))
        elif kind != "space":
            tokens.append(Token(kind, piece.removeprefix("r#"), line))
        line += piece.count("\n")
        position += len(piece)
    return tokens, comment_lines


def end_of_comment(text, start):
    """Where a block comment ends: they nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


class Reader:
    """Reads the module tree of one crate from `sources`: a path, and its text."""

    def __init__(self, crate, sources):
        self.crate = crate
        self.sources = sources

    def read_file(self, file, folder, parent):
        module = Module(file, folder, parent)
        text = self.sources[file]
        tokens, comment_lines = tokens_of(text)
        self.crate.files[file] = len(text.splitlines())
        reader = FileReader(self, file, tokens)
        # Otherwise what is behind the bracket would go unseen.
        if reader.read(module, 0) != len(tokens) or reader.open:
            raise SystemExit(f"{file}: its brackets do not match, or are not understood")
        code_lines = {token.line for token in tokens}
        self.crate.code_lines += len(code_lines - reader.test_lines)
        self.crate.comment_lines += len(comment_lines - code_lines - reader.test_lines)
        return module

    def file_of(self, name, module):
        """The file of a `mod NAME;`, and the folder of its children."""
        folder = posixpath.join(module.folder, name)
        for file in (f"{folder}.rs", f"{folder}/mod.rs"):
            if file in self.sources:
                return file, folder
        raise SystemExit(f"{module.file}: no file holds `mod {name}`")

    def read_child(self, name, module):
        module.children[name] = self.read_file(*self.file_of(name, module), module)

    def leave_out(self, name, module):
        """Notes the files of a module that only tests have."""
        file, folder = self.file_of(name, module)
        below = (other for other in self.sources if other.startswith(f"{folder}/"))
        self.crate.test_files.update([file, *below])


class FileReader:
    """Walks over the tokens of one file."""

    def __init__(self, reader, file, tokens):
        self.reader = reader
        self.file = file
        self.tokens = tokens
        self.test_lines = set()
        self.open = 0  # brackets that the file's end left open

    def text(self, at):
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def kind(self, at):
        return self.tokens[at].kind if 0 <= at < len(self.tokens) else ""

    def read(self, module, at):
        """Reads a module's body up to its closing brace or the file's end."""
        depth = 0
        while at < len(self.tokens):
            text = self.text(at)
            if text in CLOSE and depth == 0:
                return at + 1
            depth += (text in OPEN) - (text in CLOSE)
            if self.is_for_tests(at):
                first, at = at, self.leave_out(module, at)
                lines = range(self.tokens[first].line, self.tokens[at - 1].line + 1)
                self.test_lines.update(lines)
            elif text == "mod" and self.kind(at + 1) == "name" and self.text(at + 2) in (";", "{"):
                at = self.read_inner(module, at)
            elif text == "use" and (self.kind(at + 1) == "name" or self.text(at + 1) in ("{", "::")):
                at = self.read_use(module, at + 1, (), depth == 0)
            else:
                at = self.read_other(module, at, depth)
        self.open = depth
        return at

    def read_other(self, module, at, depth):
        """Notes an item, or a path inside code, and goes on behind it."""
        self.note_item(module, at, depth)
        if self.kind(at) == "name" and self.text(at - 1) not in ("::", "."):
            path, end = self.path_at(at)
            if len(path) > 1:
                module.paths.append((path, self.tokens[at].line))
            return end
        return at + 1

    def path_at(self, at):
        path = (self.text(at),)
        while self.text(at + 1) == "::" and self.kind(at + 2) == "name":
            at += 2
            path += (self.text(at),)
        return path, at + 1

    def note_item(self, module, at, depth):
        keyword, name = self.text(at), self.text(at + 1)
        if keyword == "macro_rules" and depth == 0:
            module.items.add(self.text(at + 2))
        if keyword not in ITEMS or self.kind(at + 1) != "name":
            return
        if depth == 0:
            module.items.add(name)
        line = self.tokens[at].line
        if keyword in ("const", "static") and self.text(at + 2) == ":":
            self.reader.crate.constants.append((name, self.file, line))
        if keyword == "fn" and (end := self.end_of_function(at)):
            length = self.tokens[end].line - line + 1
            self.reader.crate.functions.append(Function(name, self.file, line, length))

    def end_of_function(self, at):
        """The closing brace of a function, or none where it has no body."""
        depth = 0
        while at < len(self.tokens):
            text = self.text(at)
            if depth == 0 and text == ";":
                return None
            depth += (text in OPEN) - (text in CLOSE)
            if depth == 0 and text == "}":
                return at
            at += 1
        return None

    def read_inner(self, module, at):
        name = self.text(at + 1)
        if self.text(at + 2) == ";":
            self.reader.read_child(name, module)
            return at + 3
        child = Module(self.file, posixpath.join(module.folder, name), module)
        module.children[name] = child
        return self.read(child, at + 3)

    def read_use(self, module, at, prefix, is_item):
        """Reads one tree of a `use`, and returns what is behind it."""
        if self.text(at) == "::":
            at, prefix = at + 1, (ELSEWHERE,)
        line = self.tokens[at].line
        path, end = (), at
        if self.kind(at) == "name":
            path, end = self.path_at(at)
            if self.text(end) == "::":
                end += 1
        path = prefix + path
        if self.text(end) == "{":
            end += 1
            while self.text(end) not in ("}", ""):
                end = self.read_use(module, end, path, is_item)
                end += self.text(end) == ","
            return end + 1
        if path and path[-1] == "self" and len(path) > 1:
            path = path[:-1]
        module.paths.append((path, line))
        if self.text(end) == "*":
            module.globs.extend([path] if is_item else [])
            return end + 1
        name, end = (self.text(end + 1), end + 2) if self.text(end) == "as" else (path[-1], end)
        if is_item:
            module.uses[name] = path
        return end

    def is_for_tests(self, at):
        words = [self.text(at + step) for step in range(7)]
        return words == ["#", "[", "cfg", "(", "test", ")", "]"]

    def leave_out(self, module, at):
        """Skips what an attribute `#[cfg(test)]` stands before."""
        at += 7
        while self.text(at) == "#":
            at = self.end_of_group(at + 1)
        words = [self.text(at + step) for step in range(5)]
        if "mod" in words and self.text(at + words.index("mod") + 2) == ";":
            self.reader.leave_out(self.text(at + words.index("mod") + 1), module)
        # A field ends with a comma; in an item it may stand between parameters.
        ends = (";",) if ITEMS.union(("mod", "use", "impl")).intersection(words) else (";", ",")
        while at < len(self.tokens) and self.text(at) not in CLOSE:
            if self.text(at) in ends:
                return at + 1
            if self.text(at) == "{":
                return self.end_of_group(at)
            at = self.end_of_group(at) if self.text(at) in OPEN else at + 1
        return at

    def end_of_group(self, at):
        """What is behind the bracket that closes the one at `at`."""
        depth = 0
        while at < len(self.tokens):
            depth += (self.text(at) in OPEN) - (self.text(at) in CLOSE)
            at += 1
            if depth == 0:
                break
        return at


class Resolver:
    """Says which file defines what a path names."""

    def __init__(self, crates):
        self.crates = {crate.name.replace("-", "_"): crate for crate in crates}

    def file_of(self, module, path):
        """The file, or `None` for what is not in the crates that were read."""
        found = self.resolve(module, path, frozenset())
        if isinstance(found, Module):
            return found.file
        return None if found in (None, ELSEWHERE) else found

    def resolve(self, module, path, seen):
        """A module, a file that defines the item, or `ELSEWHERE`."""
        place = self.first(module, path[0], seen)
        for name in path[1:]:
            if not isinstance(place, Module):
                break
            # What a macro defined is not found: it counts as the module's.
            place = self.member(place, name, seen) or place.file
        return place

    def first(self, module, name, seen):
        if name == "crate":
            return module.root
        found = self.member(module, name, seen)
        if found is None and name in self.crates:
            return self.crates[name].roots[0]
        return found or ELSEWHERE

    def member(self, module, name, seen):
        if name in ("self", "super"):
            return module if name == "self" else module.parent
        if name in module.children:
            return module.children[name]
        if name in module.items:
            return module.file
        # `use a::{self}` names itself.
        if (key := (id(module), name)) in seen:
            return None
        seen = seen | {key}
        if name in module.uses:
            return self.resolve(module, module.uses[name], seen)
        for path in module.globs:
            place = self.resolve(module, path, seen)
            if isinstance(place, Module) and (found := self.member(place, name, seen)):
                return found
        return None


def read_crates(sources):
    """All crates of `crates/*`, from a path and its text each."""
    crates = []
    for manifest in sorted(path for path in sources if path.endswith("Cargo.toml")):
        name = re.search(r'^name = "(.*)"', sources[manifest], re.MULTILINE).group(1)
        folder = posixpath.join(posixpath.dirname(manifest), "src")
        crate = Crate(name)
        reader = Reader(crate, sources)
        for root in ("lib.rs", "main.rs"):
            if (file := f"{folder}/{root}") in sources:
                crate.roots.append(reader.read_file(file, folder, None))
        crates.append(crate)
    return crates
