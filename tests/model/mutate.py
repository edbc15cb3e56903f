"""mutate.py MUTANT ROOT OUT: writes the source file that a mutant names, with its one deliberate fault.

A mutant is a text file: the source file; why it must be caught; then the text to find, which has to occur
exactly once, and what to put in its place, between lines of <<<<, ==== and >>>>. If it does not, the source is
written unchanged: the build goes on, and the test of the mutant fails because nothing was found."""
import pathlib
import sys


def main():
    mutant, root, out = map(pathlib.Path, sys.argv[1:])
    head, rest = mutant.read_text().split("<<<<\n")
    old, rest = rest.split("====\n")
    new = rest.split(">>>>")[0]
    source = root / head.split("\n")[0]
    text = source.read_text()
    if text.count(old) != 1:
        print(f"{mutant.name}: its text occurs {text.count(old)} times in {source}; bring the mutant up to date")
        old = new = "\0"
    out.write_text(text.replace(old, new))


main()
