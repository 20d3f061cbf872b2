"""Checks of the pages for people: what they tell to type, to open and to follow is there.

Belongs here: functions from the project's root to a list of faults, each a sentence that names the
file. The name of a function is the convention it checks.
Does not belong here: whether a command works (CI runs the README's commands).
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote

from reading import documents, line_of, place, project_files, text_of

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)|!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
MAKE = re.compile(
    r"(?:^|[;&|])[ \t]*(?:\$ )?(?:[A-Z_]+=\S+ )*make ((?:[a-z][\w-]*(?![\w-]*=)[ \t]*)+)",
    re.MULTILINE,
)
COMMAND = re.compile(r"(?:\bintent-map|-m orchestration)((?: +[^\s`#|;&)]+)*)")
TARGET = re.compile(r"^([a-zA-Z][\w-]*)\s*:(?!=)", re.MULTILINE)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)
FILE_NAME = re.compile(
    r"^\.?[\w.-]*\.(?:md|toml|yml|yaml|csv|sql|py|txt|json|cfg|lock)$|^Makefile$|^LICENSE$"
)
# folders of a home, not of the clone
HOME_FOLDERS = {"home", "landing", "warehouse", "serving", "dagster"}


def every_make_target_in_the_pages_exists(root: Path) -> list[str]:
    makefile = root / "Makefile"
    targets = set(TARGET.findall(makefile.read_text(encoding="utf-8"))) if makefile.exists() else ()
    return [
        f"{place(root, page)}: make {target} is no target of the Makefile"
        for page in documents(root)
        for piece in _code_pieces(page)
        for names in MAKE.findall(piece)
        for target in names.split()
        if target not in targets
    ]


def every_intent_map_command_in_the_pages_exists(root: Path) -> list[str]:
    """The command and its options stand in cli.py as text; the Makefile is asked as well."""
    known = _strings(root / "orchestration" / "cli.py")
    pieces = [(page, piece) for page in documents(root) for piece in _code_pieces(page)]
    makefile = root / "Makefile"
    if makefile.exists():
        pieces.append((makefile, makefile.read_text(encoding="utf-8")))
    faults = []
    for page, piece in pieces:
        for arguments in COMMAND.findall(piece):
            words = arguments.split()
            asked = [word for word in words[:1] if re.fullmatch(r"[a-z][\w-]*", word)]
            asked += [word.split("=")[0] for word in words if re.match(r"--\w", word)]
            for word in asked:
                if word not in known and word != "--help":
                    faults.append(f"{place(root, page)}: intent-map knows no {word}")
    return faults


def every_path_in_a_tree_exists(root: Path) -> list[str]:
    """Fenced blocks that draw folders: each line's path, and the names that follow it, are there.

    Paths of a home and paths with a <placeholder> are no part of the clone and are left out.
    """
    return [
        f"{place(root, page)}: the tree names {path}, which does not exist"
        for page in documents(root)
        for block in FENCE.findall(page.read_text(encoding="utf-8"))
        for path in _missing_from_tree(root, block)
    ]


def every_path_in_the_prose_exists(root: Path) -> list[str]:
    """A path in backticks that starts with a folder of the clone."""
    files = [place(root, path) for path in project_files(root)]
    folders = {parent.as_posix() for file in files for parent in Path(file).parents}
    tops = {file.split("/")[0] for file in files if "/" in file}
    faults = []
    for page in documents(root):
        for words in INLINE.findall(page.read_text(encoding="utf-8")):
            path = words.strip().rstrip("/")
            if path.split("/")[0] not in tops or "/" not in words or set(path) & set(" <…"):
                continue
            for name in _unfolded(path):
                pattern = name.split("::")[0]
                if not any(fnmatch(file, pattern) for file in (*files, *folders)):
                    faults.append(f"{place(root, page)}: `{name}` does not exist")
    return faults


def every_link_in_the_pages_leads_somewhere(root: Path) -> list[str]:
    faults = []
    for page in documents(root):
        text = page.read_text(encoding="utf-8")
        prose = FENCE.sub(lambda match: "\n" * match.group().count("\n"), text)
        for match in LINK.finditer(INLINE.sub("", prose)):
            link = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = unquote(link).partition("#")
            file = (page.parent / target) if target else page
            where = f"{place(root, page)}:{line_of(prose, match.start())}"
            if not file.exists():
                faults.append(f"{where}: {link} leads to no file")
            elif anchor and file.suffix == ".md" and anchor not in _anchors(file):
                faults.append(f"{where}: {link} leads to no heading")
    return faults


def _code_pieces(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    yield from FENCE.findall(text)
    yield from INLINE.findall(FENCE.sub("", text))


def _strings(module: Path) -> set[str]:
    if not module.exists():
        return set()
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = HEADING.findall(FENCE.sub("", text_of(page) or ""))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def _unfolded(path: str) -> list[str]:
    """a/{b,c} as a/b and a/c."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    before, after = path[: match.start()], path[match.end() :]
    options = [option.strip() for option in match.group(1).split(",")]
    return [name for option in options for name in _unfolded(before + option + after)]


def _missing_from_tree(root: Path, block: str) -> list[str]:
    lines = [re.sub(r"[│├└─]", " ", line) for line in block.splitlines()]
    if not any(re.match(r"\s*\.?[\w-]+(?:/[\w.-]+)*/(?:\s|$)", line) for line in lines):
        return []
    missing = []
    # folders that the next deeper lines stand in, with their depth
    stack: list[tuple[int, Path]] = []
    for line in lines:
        words = re.sub(r"\s+", " ", line.split("#")[0].strip()).split(" ")
        depth = len(line) - len(line.lstrip())
        first = words[0]
        if not _is_path(first):
            continue
        while stack and stack[-1][0] >= depth:
            stack.pop()
        base = stack[-1][1] if stack else root
        if base == root and first.split("/")[0] in HOME_FOLDERS | {root.name}:
            # the clone's own name on top is the root; a home's folders are not in the clone
            stack.append((depth, root if first.rstrip("/") == root.name else Path("/nowhere")))
            continue
        if base == Path("/nowhere") or "<" in first:
            continue
        for name in _unfolded(first):
            if not (base / name).exists():
                missing.append(name)
        folder = base / first
        if first.endswith("/") and folder.is_dir():
            stack.append((depth, folder))
        for word in words[1:]:
            name = word.strip(",;:.()")
            if not _is_path(name) or "<" in name:
                continue
            for option in _unfolded(name):
                if not any((place_ / option).exists() for place_ in (folder, base, root)):
                    missing.append(option)
    return missing


def _is_path(word: str) -> bool:
    if word.startswith(("http:", "https:", "$", "--", "/")):
        return False
    return bool(
        re.match(r"^\.?[\w*-][\w.{},*<>/-]*/[\w.{},*<>/-]*$", word) or FILE_NAME.match(word)
    )
