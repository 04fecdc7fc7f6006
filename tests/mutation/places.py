"""Finds the places of headers that a mutant can change, and rewrites the headers so that one build holds all mutants.

The syntax tree is that of libclang (Debian: python3-clang-14). A place is an expression or statement; its text is wrapped
in a call of a function of mutant.hpp, which asks whether its mutant is switched on.
"""
import dataclasses
import re

from clang.cindex import Config, CursorKind, Index, TranslationUnit

Config.set_library_file("/usr/lib/llvm-14/lib/libclang-14.so.1")

BINARY = {"<": ("less", "<="), "<=": ("less_equal", "<"), ">": ("greater", ">="), ">=": ("greater_equal", ">"),
          "==": ("equal", "!="), "!=": ("not_equal", "=="), "+": ("plus", "-"), "-": ("minus", "+"), "*": ("times", "+"),
          "/": ("divides", "*"), "%": ("modulus", "+"), "&": ("bit_and", "|"), "|": ("bit_or", "&"),
          "+=": ("add_to", "-="), "-=": ("subtract_from", "+="), "*=": ("multiply_to", "+="), "/=": ("divide_to", "*=")}
FLIPS = ("==", "!=")

# Statements whose loss no result can show: they only save time or memory.
SAVES_TIME_ONLY = re.compile(r"^(\w+::|\w+\.|\w+->)*(__builtin_prefetch|prefetch\w*|reserve|shrink_to_fit|assert|fetch\w*|madvise|posix_fadvise)\s*[(<]|^static_cast<void>\(\w+\)"
                             r"|^GRU4REC_")

STATEMENTS = (CursorKind.COMPOUND_STMT, CursorKind.IF_STMT, CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT,
              CursorKind.CXX_FOR_RANGE_STMT, CursorKind.SWITCH_STMT, CursorKind.RETURN_STMT, CursorKind.DECL_STMT,
              CursorKind.CXX_TRY_STMT, CursorKind.NULL_STMT)
# Never run, so that no mutant in them could be seen.
CONSTANT = (CursorKind.STATIC_ASSERT, CursorKind.ENUM_CONSTANT_DECL, CursorKind.TEMPLATE_NON_TYPE_PARAMETER,
            CursorKind.TEMPLATE_TYPE_PARAMETER, CursorKind.TYPE_ALIAS_DECL, CursorKind.TYPE_ALIAS_TEMPLATE_DECL,
            CursorKind.CXX_UNARY_EXPR, CursorKind.FRIEND_DECL)
LITERAL_PARENTS = (CursorKind.BINARY_OPERATOR, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR, CursorKind.CALL_EXPR,
                   CursorKind.RETURN_STMT, CursorKind.PAREN_EXPR, CursorKind.ARRAY_SUBSCRIPT_EXPR,
                   CursorKind.CONDITIONAL_OPERATOR, CursorKind.VAR_DECL)


@dataclasses.dataclass
class Mutant:
    number: int
    header: str
    line: int
    change: str
    source: str


class Rewriting:
    """The text of one header with what is put into it."""
    def __init__(self, text):
        self.text = text
        self.edits = []
        self.order = 0

    def wrap(self, begin, end, before, after=")"):
        """Outer places must be wrapped before the inner ones."""
        self.order += 1
        self.edits.append((begin, 1, self.order, 0, before))
        self.edits.append((end, 0, -self.order, 0, after))

    def replace(self, begin, end, by):
        self.order += 1
        self.edits.append((begin, 1, self.order, end - begin, by))

    def result(self):
        pieces, at = [], 0
        for position, _, _, deleted, put in sorted(self.edits):
            pieces += [self.text[at:position], put]
            at = position + deleted
        return b"".join(p if isinstance(p, bytes) else p.encode() for p in pieces + [self.text[at:]])


class Finder:
    """Walks the syntax tree of one file that includes the headers."""
    def __init__(self, include, chosen=None):
        self.include = include  # folder of the headers
        self.chosen = chosen  # numbers of the mutants that are put into the headers; None: all
        self.mutants = []
        self.rewritings = {}
        self.flipped = set()  # conditions, which are negated as such
        self.seen = set()  # a tree may hold a declaration twice

    def find(self, file, arguments):
        unit = Index.create().parse(str(file), args=arguments, options=TranslationUnit.PARSE_INCOMPLETE)
        errors = [d for d in unit.diagnostics if d.severity >= 3]
        if errors:
            raise SystemExit(f"places.py: {file} does not compile: {errors[0]}")
        self._walk_declarations(unit.cursor)

    def _walk_declarations(self, unit):
        for cursor in unit.get_children():
            file = cursor.location.file
            if file is not None and file.name.startswith(str(self.include)):
                self.file = file.name
                if self.file not in self.rewritings:
                    with open(self.file, "rb") as f:
                        self.rewritings[self.file] = Rewriting(f.read())
                self.text = self.rewritings[self.file].text
                self._walk(cursor, None)

    def _add(self, cursor, change):
        """The number of a new mutant."""
        number = len(self.mutants) + 1
        begin = self.text.rfind(b"\n", 0, cursor.extent.start.offset) + 1
        end = self.text.find(b"\n", cursor.extent.start.offset)
        self.mutants.append(Mutant(number, self.file[len(str(self.include)) + 1:], cursor.extent.start.line, change,
                                   self.text[begin:end].decode().strip()))
        return number

    def _span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def _source(self, cursor):
        begin, end = self._span(cursor)
        return self.text[begin:end].decode()

    def _is_chosen(self, number):
        return self.chosen is None or number in self.chosen

    def _wrap(self, cursor, number, before, after=")"):
        if self._is_chosen(number):
            self.rewritings[self.file].wrap(*self._span(cursor), before, after)
        return self._is_chosen(number)

    def _of_this_file(self, cursor):
        file = cursor.extent.start.file
        begin, end = self._span(cursor)
        return file is not None and file.name == self.file and begin < end

    # What a place is.

    def _walk(self, cursor, parent):
        if cursor.kind in CONSTANT or "CONCEPT" in cursor.kind.name or "REQUIRES" in cursor.kind.name:
            return
        if parent is not None and not self._of_this_file(cursor):
            return
        if cursor.kind == CursorKind.VAR_DECL and self._is_constexpr(cursor):
            return
        key = (self.file, cursor.kind, *self._span(cursor))
        if key in self.seen and cursor.kind != CursorKind.UNEXPOSED_EXPR:
            return
        self.seen.add(key)
        children = list(cursor.get_children())
        skipped = ()
        if cursor.kind == CursorKind.COMPOUND_STMT:
            skipped = [c for c in children if SAVES_TIME_ONLY.search(self._source(c))]
            for child in children:
                if child not in skipped:
                    self._statement(child)
        elif cursor.kind == CursorKind.IF_STMT:
            skipped = self._if(cursor, children)
        elif cursor.kind in (CursorKind.FOR_STMT, CursorKind.WHILE_STMT):
            skipped = self._loop(cursor, children)
        elif cursor.kind == CursorKind.CONDITIONAL_OPERATOR and len(children) == 3:
            self._condition(children[0])
        elif cursor.kind == CursorKind.CASE_STMT:
            skipped = children[:1]
        elif cursor.kind in (CursorKind.FIELD_DECL, CursorKind.VAR_DECL, CursorKind.PARM_DECL):
            # What stands before the name is an argument of the type, such as std::array<int, n + 1>.
            skipped = [c for c in children if c.extent.end.offset <= cursor.location.offset]
        elif cursor.kind in (CursorKind.BINARY_OPERATOR, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR) or (
                cursor.kind == CursorKind.CALL_EXPR and re.fullmatch(r"operator[-+*/%<>=!&|]=?", cursor.spelling)):
            self._binary(cursor, children)
        elif cursor.kind == CursorKind.UNARY_OPERATOR:
            self._unary(cursor)
        elif cursor.kind == CursorKind.CALL_EXPR:
            self._call(cursor, children)
        elif cursor.kind == CursorKind.INTEGER_LITERAL:
            self._literal(cursor, parent)
        for child in children:
            if child not in skipped:
                self._walk(child, parent if cursor.kind == CursorKind.UNEXPOSED_EXPR else cursor)

    def _is_constexpr(self, cursor):
        begin, end = self._span(cursor)
        return b"constexpr" in re.split(rb"[={]", self.text[begin:end])[0]

    def _statement(self, cursor):
        end = cursor.extent.end.offset
        if not self._of_this_file(cursor) or cursor.kind in STATEMENTS or self.text[end:end + 1] != b";":
            return
        is_jump = cursor.kind in (CursorKind.BREAK_STMT, CursorKind.CONTINUE_STMT)
        if not is_jump and not (cursor.kind.is_expression() or cursor.kind == CursorKind.UNEXPOSED_STMT):
            return
        if self._source(cursor).startswith(("throw", "using", "case", "default")):
            return
        number = self._add(cursor, "statement left out")
        self._wrap(cursor, number, f"{{ if (!::gru4rec_mutant::on<{number}>()) {{ ", "; } }")

    def _condition(self, cursor):
        if not self._of_this_file(cursor):
            return
        self.flipped.add(cursor.hash)
        for name in ("never", "always"):
            number = self._add(cursor, f"condition {name} holds")
            self._wrap(cursor, number, f"::gru4rec_mutant::{name}<{number}>(")

    def _if(self, cursor, children):
        condition = next((c for c in children if c.kind.is_expression()), None)
        if condition is None or children[0].kind == CursorKind.VAR_DECL:
            return ()
        begin = cursor.extent.start.offset
        if b"constexpr" in self.text[begin:condition.extent.start.offset]:
            return (condition,)
        self._condition(condition)
        return ()

    def _loop(self, cursor, children):
        begin = cursor.extent.start.offset
        if self.text[:begin].rstrip().endswith(b"GRU4REC_UNROLL"):
            return tuple(children[:-1])  # a fixed number of times, in registers
        for child in children:
            if not child.kind.is_expression() or not self._of_this_file(child):
                continue
            first, last = self._span(child)
            between = (self.text[:first].rstrip()[-1:], self.text[last:].lstrip()[:1])
            if between == (b";", b";") or (cursor.kind == CursorKind.WHILE_STMT and child == children[0]):
                number = self._add(child, "loop never runs")
                self._wrap(child, number, f"::gru4rec_mutant::never<{number}>(")
        return tuple(c for c in children[:-1] if self.text[self._span(c)[1]:].lstrip()[:1] == b")"
                     and cursor.kind == CursorKind.FOR_STMT)

    def _binary(self, cursor, children):
        if len(children) < 2:
            return
        children = sorted(children, key=lambda c: c.extent.start.offset)
        left, right = children[0], children[-1]
        begin, end = left.extent.end.offset, right.extent.start.offset
        between = self.text[begin:end].decode()
        operator = re.sub(r"//[^\n]*", "", between).strip()
        if operator in ("&&", "||"):
            name = "always" if operator == "&&" else "never"
            for side in (left, right):
                self.flipped.add(side.hash)
                number = self._add(side, f"side of {operator} {name} holds")
                self._wrap(side, number, f"::gru4rec_mutant::{name}<{number}>(")
            return
        if operator not in BINARY or (operator in FLIPS and cursor.hash in self.flipped):
            return
        name, changed = BINARY[operator]
        number = self._add(cursor, f"{operator} becomes {changed}")
        if self._wrap(cursor, number, f"::gru4rec_mutant::{name}<{number}>("):
            at = begin + between.index(operator)
            self.rewritings[self.file].replace(at, at + len(operator), ",")

    def _unary(self, cursor):
        begin, _ = self._span(cursor)
        operator = self.text[begin:begin + 1]
        if operator not in (b"-", b"!") or self.text[begin + 1:begin + 2] in (operator, b"="):
            return
        number = self._add(cursor, f"{operator.decode()} dropped")
        name = "negated" if operator == b"-" else "inverted"
        if self._wrap(cursor, number, f"::gru4rec_mutant::{name}<{number}>("):
            self.rewritings[self.file].replace(begin, begin + 1, "")

    def _call(self, cursor, children):
        begin, end = self._span(cursor)
        source = self._source(cursor)
        extreme = re.match(r"\(std::(min|max)\)(?=\()", source)
        if extreme and "{" not in source.split("(")[2]:
            other = "max" if extreme[1] == "min" else "min"
            number = self._add(cursor, f"{extreme[1]} becomes {other}")
            if self._is_chosen(number):
                name = "least" if extreme[1] == "min" else "greatest"
                self.rewritings[self.file].replace(begin, begin + extreme.end(), f"::gru4rec_mutant::{name}<{number}>")
            return
        axis = re.fullmatch(r"([\w.]+)\.(rows|cols)\(\)", source)
        if axis:
            other = "cols" if axis[2] == "rows" else "rows"
            number = self._add(cursor, f"{axis[2]} becomes {other}")
            self._wrap(cursor, number, f"(::gru4rec_mutant::on<{number}>() ? {axis[1]}.{other}() : ")

    def _literal(self, cursor, parent):
        begin, end = self._span(cursor)
        source = self._source(cursor)
        if parent is None or parent.kind not in LITERAL_PARENTS or not re.fullmatch(r"[0-9]+[uUlL]*", source):
            return
        if parent.kind == CursorKind.VAR_DECL and self.text[:begin].rstrip()[-1:] not in (b"=", b"{", b"("):
            return
        if parent.kind == CursorKind.CALL_EXPR and self.text[:begin].rstrip()[-1:] == b"<":
            return
        number = self._add(cursor, f"{source} becomes {source} + 1")
        self._wrap(cursor, number, f"::gru4rec_mutant::next<{number}>(")
