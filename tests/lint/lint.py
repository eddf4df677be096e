"""Keeps docs/architecture.md true: which room includes which, who may name an op or an instruction set.

    python3 tests/lint/lint.py               checks the repository
    python3 tests/lint/lint.py --self-test   also plants one violation per rule and demands that it is found

Prints each violation as `file:line: what` and at the end `N passed, N failed`, counting rules. Standard library only.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = (".cc", ".h", ".cpp", ".s")
DEVICE_ROOTS = ("core", "isa")                       # under device/, as #include spells them
SYSTEM_HEADERS = {"": {"stdint.h", "string.h"}, "isa/dsp": {"arm_acle.h"}, "isa/mve": {"arm_mve.h"}}
NOT_STAGES = {"ops", "driver"}                       # driver/ is where ops and stages meet


# ---- the files, comments blanked

class Tree:
    """The text of every file of the project, by path relative to its root."""

    def __init__(self, files):
        self.files = files

    @staticmethod
    def read():
        files = {}
        for name in names():
            try:
                files[name] = (ROOT / name).read_bytes().decode("utf-8", "surrogateescape")
            except OSError:
                pass  # deleted, or a link to nowhere
        return Tree(files)

    def planted(self, changes):
        return Tree({**self.files, **changes})

    def matching(self, pattern):
        return [(name, text) for name, text in sorted(self.files.items()) if re.fullmatch(pattern, name)]

    def code(self, pattern=r"(src|device)/.*"):
        """C++ and assembler with comments blanked; strings are kept."""
        return [(name, without_comments(text)) for name, text in self.matching(pattern) if name.endswith(CODE)]


def names():
    try:
        git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True)
        if git.returncode == 0:
            return git.stdout.split("\0")[:-1]
    except FileNotFoundError:
        pass  # no git here
    hidden = re.compile(r"(^|/)(build[^/]*|\.git|\.venv|__pycache__)/")
    found = (Path(folder, f).relative_to(ROOT).as_posix() for folder, _, fs in os.walk(ROOT) for f in fs)
    return [name for name in found if not hidden.search(name)]


def without_comments(text):
    """Comments become spaces, so that lines keep their numbers."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|^\s*@[^\n]*', re.S | re.M)
    blank = lambda m: m[0] if m[0].startswith('"') else re.sub(r"[^\n]", " ", m[0])
    return token.sub(blank, text)


def lines(text):
    return enumerate(text.split("\n"), 1)


def includes(text):
    """(line, name, is a system header)"""
    for number, line in lines(text):
        if found := re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line):
            yield number, found[2], found[1] == "<"


# ---- what CMakeLists.txt, ops.list and targets.list say

def rooms(tree):
    """Each room with all that its fold8_room() line lets it see."""
    direct = {}
    for found in re.finditer(r"^fold8_room\(([^)]*)\)", tree.files["CMakeLists.txt"], re.M):
        name, *sees = found[1].split()
        direct[name] = sees

    def reach(name):
        return {name}.union(*(reach(other) for other in direct[name]))
    return {name: reach(name) for name in direct}


def ops(tree):
    return re.findall(r"^FOLD8_OP\((\w+)\)", tree.files["src/ops/ops.list"], re.M)


def isas(tree):
    rows = [line.split() for line in tree.files["device/targets.list"].split("\n")]
    return sorted({row[1] for row in rows if row and not row[0].startswith("#")})


# ---- the rules: each yields (file, line, what)

def rooms_follow_their_arrows(tree):
    """a room includes only rooms that its fold8_room() line reaches"""
    allowed = rooms(tree)
    for name, text in tree.code(r"src/[^/]+/.*"):
        if name.endswith(".kernel.h"):
            continue  # device code
        room = name.split("/")[1]
        if room not in allowed:
            yield name, 1, f"room {room} has no fold8_room() line in CMakeLists.txt"
            continue
        for line, header, system in includes(text):
            other = header.split("/")[0]
            if not system and "/" in header and other in allowed and other not in allowed[room]:
                yield name, line, f"room {room} does not link {other}"


def device_headers_stay_on_the_device(tree):
    """the compiler includes device constants only: weight orders, and board/'s protocol in room board"""
    for name, text in tree.code(r"src/.*"):
        if name.endswith(".kernel.h"):
            continue
        for line, header, system in includes(text):
            room = name.split("/")[1]
            isa = header.split("/")[1] if header.startswith("isa/") else None
            constants = (
                header == "core/weight_order.h"
                or (header.endswith("/order.h") and name == "src/target/kernel_orders.cc")
                or (header in (f"isa/{isa}/stream.h", f"isa/{isa}/depthwise.h") and name.startswith(f"src/target/{isa}/"))
            )
            if not system and header.split("/")[0] in DEVICE_ROOTS and not constants:
                yield name, line, f"{header} is device code"
            if header in ("board/image.h", "board/protocol.h") and room != "board":
                yield name, line, f"{header} is for room board"


def ops_do_not_know_each_other(tree):
    """src/ops/<a> never includes src/ops/<b>"""
    for name, text in tree.code(r"src/ops/[^/]+/.*"):
        op = name.split("/")[2]
        for line, header, _ in includes(text):
            if (found := re.match(r"ops/([^/]+)/", header)) and found[1] != op:
                yield name, line, f"op {op} includes op {found[1]}"


def every_op_has_its_folder(tree):
    """rows of ops.list and folders of src/ops are the same, each with <op>.op.cc and an .f8 test"""
    listed = ops(tree)
    folders = {name.split("/")[2] for name in tree.files if re.match(r"src/ops/[^/]+/", name)}
    for op in sorted(folders.symmetric_difference(listed)):
        yield "src/ops/ops.list", 1, f"{op} has " + ("a folder and no row" if op in folders else "a row and no folder")
    for op in sorted(folders.intersection(listed)):
        if f"src/ops/{op}/{op}.op.cc" not in tree.files:
            yield f"src/ops/{op}", 1, f"{op}.op.cc is missing"
        if not any(name.startswith(f"src/ops/{op}/") and name.endswith(".f8") for name in tree.files):
            yield f"src/ops/{op}", 1, f"{op}.test.f8 is missing"


def stages_name_no_op(tree):
    """no stage mentions an op, as a string, as op_<name>, or as an aten name, but for CoreOps; attributes may have its name"""
    attribute = r"attrs\.(?:set|erase|find|has|integers?|number|text)\(\s*$"
    words = "|".join(ops(tree))
    mention = re.compile(rf'"(?:{words})"|\bop_(?:{words})\b|"torch\.ops\.aten\.(?!_assert|sym_constrain)[^"]*"')
    stages = "|".join(set(rooms(tree)) - NOT_STAGES)
    for name, text in tree.code(rf"src/({stages})/.*"):
        for number, line in lines(text):
            for found in mention.finditer(line):
                if not re.search(attribute, line[:found.start()]):
                    yield name, number, f"a stage names {found[0]}"


def core_ops_are_ops(tree):
    """the ops that stages may ask for, members of CoreOps in src/ir/core_ops.h, are rows of ops.list that a stage uses"""
    page = "src/ir/core_ops.h"
    stages = "|".join(set(rooms(tree)) - NOT_STAGES)
    used = {op for _, text in tree.code(rf"src/({stages})/.*") for op in re.findall(r"\bcore_?\.(\w+)", text)}
    for number, line in lines(without_comments(tree.files.get(page, ""))):
        for op in re.findall(r"const OpDef\* (\w+)", line):
            if op not in ops(tree):
                yield page, number, f"{op} is no op"
            elif op not in used:
                yield page, number, f"no stage asks for {op}"


def isas_are_named_in_their_folders(tree):
    """no code names an ISA outside device/isa, src/target/<isa> and src/target/kernel_orders.cc"""
    word = re.compile(rf"\b({'|'.join(isas(tree))})\b", re.I)
    for name, text in tree.code() + tree.matching(r"CMakeLists\.txt|cmake/.*"):
        own = name.startswith("device/isa/") or any(name.startswith(f"src/target/{isa}/") for isa in isas(tree))
        if own or name == "src/target/kernel_orders.cc":
            continue
        for number, line in lines(text):
            if found := word.search(line):
                yield name, number, f"names the ISA {found[0]}"


def isa_macros_stay_in_isa(tree):
    """no #if of a compiler's ISA macro outside device/isa and the board's own code"""
    for name, text in tree.code():
        if name.startswith(("device/isa/", "device/board/")):
            continue
        for number, line in lines(text):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b.*__(ARM|arm|thumb|aarch)", line):
                yield name, number, "asks the preprocessor for an ISA"


def firmware_headers(tree):
    return [(name, text) for name, text in tree.code() if re.match(r"device/(core|isa)/|src/ops/.*\.kernel\.h", name)]


def device_includes_little(tree):
    """firmware headers include <stdint.h>, <string.h>, their ISA's intrinsics, and each other"""
    known = {re.sub(r"^(device|src)/", "", name) for name, _ in firmware_headers(tree)}
    for name, text in firmware_headers(tree):
        folder = "/".join(name.split("/")[1:3])
        system_allowed = SYSTEM_HEADERS[""] | SYSTEM_HEADERS.get(folder, set())
        for line, header, system in includes(text):
            if header not in (system_allowed if system else known):
                yield name, line, f"firmware does not include {header}"


def device_needs_no_runtime(tree):
    """firmware headers have no heap, exceptions, RTTI, std::, double, or mutable state"""
    forbidden = re.compile(r"\b(malloc|free|new|delete|throw|try|catch|typeid|dynamic_cast|double|std::\w+|printf)\b")
    state = re.compile(r"^\s*(inline\s+)?static\s+(?!constexpr|const\b|inline\b|void\b|bool\b|[\w:]+[\s&*]+\w+\()\w+")
    for name, text in firmware_headers(tree):
        for number, line in lines(text):
            if found := forbidden.search(line):
                yield name, number, f"firmware has no {found[0]}"
            elif state.match(line) and "(" not in line:
                yield name, number, "firmware has no state outside the arena"


def device_structs(tree):
    """Each struct of firmware headers, with the names of its data members in order."""
    structs = {}
    for _, text in firmware_headers(tree):
        for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", text, re.S | re.M):
            members = re.findall(r"^\s+(?:const )?\w+[&*]?\s+([\w\s,\[\]]+);", body, re.M)
            structs[name] = [re.sub(r"\[.*", "", m).strip() for list in members for m in list.split(",")]
    return structs


def closing(text, at):
    """The place of the brace that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


def kernel_structs_mirror_the_device(tree):
    """a KernelStruct names the members of its device struct, all of them, in order; pushed ones (arrays) after the listed"""
    structs = device_structs(tree)
    for name, text in tree.code(r"src/.*\.cc"):
        for found in re.finditer(r'(?:KernelStruct (\w+))?(?:KernelStruct|return )?\s*\{\s*"f8k::(\w+)",\s*(?=\{)', text):
            variable, struct = found[1], found[2]
            end = closing(text, found.end())
            names = re.findall(r'\{"(\w+)"', text[found.end():end])
            if variable:
                function = text[end:text.find("\n}\n", end)]
                names += re.findall(rf'(?:\b{variable}\.fields\.push_back\(\{{|\w+\({variable}, )"(\w+)"', function)
            line = text.count("\n", 0, found.start()) + 1
            if struct not in structs:
                yield name, line, f"no device header has a struct {struct}"
            elif names != structs[struct]:
                yield name, line, f"{struct} has {', '.join(structs[struct])}; here: {', '.join(names)}"


def diagnostics_are_documented(tree):
    """docs/diagnostics.md lists every code that the source has, and no other"""
    page = "docs/diagnostics.md"
    documented = set(re.findall(r"^\| `(F8-\d{4})`", tree.files.get(page, ""), re.M))
    used = {}
    for name, text in tree.code(r"src/.*"):
        for number, line in lines(text):
            for code in re.findall(r"F8-\d{4}", line):
                used.setdefault(code, (name, number))
    for code in sorted(set(used) - documented):
        yield *used[code], f"{code} is not in {page}"
    for code in sorted(documented - set(used)):
        yield page, 1, f"{code} is nowhere in the source"


def sections_exist(tree):
    """a comment that names a section of a page of docs names one that is there"""
    for name, text in tree.matching(r"(src|device|tests)/.*\.(cc|h|cpp|f8|s)"):
        for number, line in lines(text):
            for page, title, section in re.findall(r'(docs/\w+\.md),?:? (?:"([^"]+)"|section (\d+))', line):
                heading = rf"^#+ .*{re.escape(title)}" if title else rf"^## {section}\. "
                if not re.search(heading, tree.files.get(page, ""), re.M):
                    yield name, number, f"{page} has no section {title or section}"


def readme_lists_every_op(tree):
    """README.md's table of ops has every aten op that an import row reads, and no other"""
    readme = tree.files.get("README.md", "")
    table = re.search(r"^\| op in the graph.*?\n((?:\|.*\n)+)", readme, re.M)
    listed = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table[1].splitlines()))) if table else set()
    read = {}
    for name, text in tree.code(r"src/ops/.*"):
        for number, line in lines(text):
            for op in re.findall(r'\{"torch\.ops\.aten\.(\w+)\.', line):
                read.setdefault(re.sub(r"(?<=\w)_$", "", op), (name, number))  # relu_ is relu, in place
    for op in sorted(set(read) - listed):
        yield *read[op], f"aten.{op} is not in README.md's table of ops"
    for op in sorted(listed - set(read)):
        yield "README.md", 1, f"lists {op}, which no import row reads"


def nothing_tells_of_a_machine(tree):
    """no file has an absolute path of somebody's machine, or a package registry's host"""
    paths = "|".join(("work", "root", r"home/(?!user/)\w+", r"opt/(?!lib/)\w+"))  # /home/user, /opt/lib: made up for tests
    hosts = "|".join(re.escape(h) for h in ("pypi" + ".org", "python" + "hosted.org", "deb.debian" + ".org", "registry.npmjs" + ".org"))
    told = re.compile(rf"(?<![\w.~<])/({paths})/|({hosts})")
    for name, text in sorted(tree.files.items()):
        if name == "tests/lint/lint.py":
            continue
        for number, line in lines(text):
            if found := told.search(line):
                yield name, number, f"tells of a machine: {found[0]}"


def links_lead_somewhere(tree):
    """relative links in Markdown name a file or folder of the project"""
    for name, text in tree.matching(r".*\.md"):
        for number, line in lines(text):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"\w+:", target):
                    continue
                path = os.path.normpath(os.path.join(os.path.dirname(name), target))
                if path != "." and path not in tree.files and not any(other.startswith(path + "/") for other in tree.files):
                    yield name, number, f"{target} does not exist"


RULES = (
    rooms_follow_their_arrows, device_headers_stay_on_the_device, ops_do_not_know_each_other, every_op_has_its_folder,
    stages_name_no_op, core_ops_are_ops, isas_are_named_in_their_folders, isa_macros_stay_in_isa, device_includes_little,
    device_needs_no_runtime, kernel_structs_mirror_the_device, diagnostics_are_documented, readme_lists_every_op, sections_exist, nothing_tells_of_a_machine, links_lead_somewhere,
)

# ---- the lint's own test: files that break a rule, one violation each

PLANTED = (
    (rooms_follow_their_arrows, {"src/quant/planted.cc": '#include "ir/op.h"\n'}),
    (rooms_follow_their_arrows, {"src/interp/planted.cc": '#include "plan/plan.h"\n'}),
    (rooms_follow_their_arrows, {"src/planted/planted.cc": "int x;\n"}),
    (device_headers_stay_on_the_device, {"src/ops/linear/planted.cc": '#include "core/rescale.h"\n'}),
    (device_headers_stay_on_the_device, {"src/emit/planted.cc": '#include "isa/mve/order.h"\n'}),
    (ops_do_not_know_each_other, {"src/ops/linear/planted.h": '#include "ops/mul/mul.kernel.h"\n'}),
    (every_op_has_its_folder, {"src/ops/planted/planted.op.cc": "int x;\n"}),
    (stages_name_no_op, {"src/passes/planted.cc": 'bool f(const Node& n) { return n.op->name == "linear"; }\n'}),
    (stages_name_no_op, {"src/plan/planted.cc": "const auto* x = &ops::op_reshape;\n"}),
    (stages_name_no_op, {"src/pt2/planted.cc": 'if (target == "torch.ops.aten.relu.default") return;\n'}),
    (core_ops_are_ops, {"src/ir/core_ops.h": "struct CoreOps {\n  const OpDef* planted = nullptr;\n};\n"}),
    (core_ops_are_ops, {"src/ir/core_ops.h": "struct CoreOps {\n  const OpDef* linear = nullptr;\n};\n"}),
    (isas_are_named_in_their_folders, {"src/emit/planted.cc": 'if (target.isa == "mve") return;\n'}),
    (isas_are_named_in_their_folders, {"device/core/planted.h": "struct Dsp;\n"}),
    (isa_macros_stay_in_isa, {"src/ops/linear/planted.kernel.h": "#if defined(__ARM_FEATURE_MVE)\n#endif\n"}),
    (device_includes_little, {"device/core/planted.h": "#include <vector>\n"}),
    (device_includes_little, {"src/ops/linear/planted.kernel.h": "#include <arm_mve.h>\n"}),
    (device_includes_little, {"device/core/planted.h": '#include "quant/rescale.h"\n'}),
    (device_needs_no_runtime, {"device/core/planted.h": "int8_t* f() { return new int8_t[4]; }\n"}),
    (device_needs_no_runtime, {"src/ops/linear/planted.kernel.h": "static int32_t calls = 0;\n"}),
    (kernel_structs_mirror_the_device, {"src/ops/linear/planted.cc": 'f(KernelStruct{"f8k::LinearShape", {{"ins", 1}, {"batch", 2}, {"outs", 3}}});\n'}),
    (kernel_structs_mirror_the_device, {"src/ops/linear/planted.cc": 'KernelStruct s{"f8k::PermuteShape", {}};\ns.fields.push_back({"size", 1});\n}\n'}),
    (kernel_structs_mirror_the_device, {"src/ops/linear/planted.cc": 'return {"f8k::Planted", {{"ins", 1}}};\n'}),
    (diagnostics_are_documented, {"src/pt2/planted.cc": 'return error("F8-9999", "planted");\n'}),
    (sections_exist, {"src/plan/planted.cc": '// docs/ir.md "Planted"\n'}),
    (sections_exist, {"src/plan/planted.cc": "// docs/arithmetic.md section 99\n"}),
    (readme_lists_every_op, {"src/ops/linear/planted.op.cc": 'ImportRow r = {"torch.ops.aten.planted_.default", kX, f};\n'}),
    (nothing_tells_of_a_machine, {"docs/planted.md": "see /ro" + "ot/notes.txt\n"}),
    (links_lead_somewhere, {"docs/planted.md": "[gone](nowhere.md)\n"}),
)
# Files that look like violations and are none.
INNOCENT = {
    "src/passes/planted.cc": '// moves a "linear" as the mve kernels like it\nbool b = node.attrs.has("clamp");\n',
    "device/core/planted.h": "#include <stdint.h>\n// new: no heap, no double\nstatic constexpr int32_t kX = 1;\nstatic int32_t f(int32_t x) { return x; }\n",
}


def found_by(rule, tree):
    return set(rule(tree))


def self_test(tree):
    """Failures of the lint itself, as text."""
    for rule, files in PLANTED:
        new = found_by(rule, tree.planted(files)) - found_by(rule, tree)
        if len(new) != 1:
            yield f"{rule.__name__}: found {len(new)} violations, not 1, in {json.dumps(files)}"
    for rule in set(RULES) - {rule for rule, _ in PLANTED}:
        yield f"{rule.__name__}: nothing planted for it"
    for rule in RULES:
        for violation in found_by(rule, tree.planted(INNOCENT)) - found_by(rule, tree):
            yield f"{rule.__name__}: complains of an innocent file: {violation}"


def main(arguments):
    tree = Tree.read()
    passed = failed = 0
    for rule in RULES:
        violations = sorted(found_by(rule, tree))
        for name, line, what in violations:
            print(f"{name}:{line}: {what}   [{rule.__doc__}]")
        passed += not violations
        failed += bool(violations)
    if "--self-test" in arguments:
        problems = list(self_test(tree))
        for problem in problems:
            print(f"self-test: {problem}")
        passed += len(PLANTED) + 1 - min(len(problems), len(PLANTED) + 1)
        failed += len(problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
