"""Compares the code that the documentation shows with the files of examples/.

    check_shown.py SOURCE-ROOT

The line before a block names the file. README.md shows whole files; elsewhere a
block may be a part of one.
"""
import os
import re
import sys
import textwrap

BLOCK = re.compile(r"^([^\n]+)\n+```(?:c|proto)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = {"README.md": True, "docs/guide.md": False}


def complaints(root, document, is_whole):
    with open(os.path.join(root, document), encoding="utf-8") as file:
        text = file.read()
    nblocks = 0
    for before, code in BLOCK.findall(text):
        nblocks += 1
        name = re.search(r"examples/\w+\.\w+", before)
        if name is None:
            yield f"{document}: no file is named before\n{code}"
            continue
        with open(os.path.join(root, name[0]), encoding="utf-8") as file:
            whole = file.read()
        # Parts are shown without their indentation.
        lines = textwrap.dedent(code).splitlines()
        part = r"\n".join(r" *" + re.escape(line) for line in lines)
        if code != whole and (is_whole or re.search(part, whole) is None):
            yield f"{document}: {name[0]} does not say\n{code}"
    if nblocks == 0:
        yield f"{document}: shows no code"


def main():
    root = sys.argv[1]
    found = [
        complaint
        for document, is_whole in DOCUMENTS.items()
        for complaint in complaints(root, document, is_whole)
    ]
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
