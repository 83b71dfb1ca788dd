#!/usr/bin/env python3
"""docs/man/sluice.1 and sluice.conf.5 from the programs' own tables: the help
of each command, the keys that are known and their comments in conf/site.conf.

usage: docs/man.py BUILD/bin/sluice [--check]"""
import os
import re
import subprocess
import sys
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAN = os.path.join(TOP, "docs", "man")
DATE = "November 26, 2026"


def escape(text):
    return text.replace("\\", "\\e").replace("…", "\\[u2026]").replace("`", "")


def prose(text):
    """Text as mdoc lines: a new line for each sentence, none too long, none a request."""
    lines = []
    for sentence in re.split(r"(?<=[.]) +", escape(" ".join(text.split()))):
        lines += textwrap.wrap(sentence, 76, break_long_words=False, break_on_hyphens=False)
    return ["\\&" + line if line[:1] in (".", "'") else line for line in lines]


def head(title, section, name, description):
    return [".Dd " + DATE, ".Dt %s %d" % (title, section), ".Os", ".Sh NAME", ".Nm " + name, ".Nd " + description]


# --- commands ---------------------------------------------------------------------

def commands(sluice):
    """(name, operands, summary, [(option, value, help)])"""
    def run(*args):
        return subprocess.run([sluice, "help", *args], capture_output=True, text=True, check=True).stdout
    for line in run().splitlines():
        m = re.match(r"  ((?:[a-z-]+ ?)+)((?:\[?[A-Z][A-Z_.|]*(?:\[,[A-Z]+…\])?\]? ?)*)\s+(\S.*)$", line)
        if not m:
            continue
        name, operands = m.group(1).strip(), m.group(2).split()
        text = run(*name.split())
        options = []
        for row in text[text.find("options:"):].splitlines()[1:]:
            m2 = re.match(r"  --([a-z0-9-]+)(?: (\S+))?(?:\s{2,}| )(\S.*)$", row)
            if m2 and m2.group(1) not in ("json", "help"):
                options.append(m2.groups())
        yield name, operands, m.group(3), options


def page_of_commands(sluice):
    out = head("SLUICE", 1, "sluice", "command line of a site: its operator's and its users'")
    out += [".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar options", ".Nm", ".Cm help", ".Op Ar command",
            ".Sh DESCRIPTION", ".Nm", "makes, starts and checks a site, decides who may use it, and runs jobs on it.",
            ".Pp", "Commands of the operator read", ".Xr sluice.conf 5",
            "and use the site's files and database; they run as the site's account.",
            "Commands of users speak to the site's HTTP API, which", ".Fl -config", "or", ".Fl -url", "names.",
            ".Pp", "Every command knows", ".Fl -json ,", "which answers with one JSON value, and", ".Fl -help .",
            ".Sh COMMANDS", ".Bl -tag -width Ds"]
    for name, operands, summary, options in commands(sluice):
        out.append(".It Cm " + name + "".join(" Ar " + escape(o) for o in operands))
        out += prose(summary)
        if options:
            out.append(".Bl -tag -width Ds -compact")
            for option, value, text in options:
                out.append(".It Fl -" + option + (" Ar " + escape(value) if value else ""))
                out += prose(text)
            out.append(".El")
    out += [".El", ".Sh EXIT STATUS", ".Bl -tag -width Ds -compact", ".It 0", "done", ".It 1",
            "failed: the site refused it, or something is not as it must be", ".It 2",
            "wrong usage: words of the command that cannot be right", ".It 3", "the job ended without success", ".It 4", "the site is not reachable", ".El",
            ".Sh EXAMPLES", "Check a site and its partners:", ".Pp",
            ".Dl sluice doctor --config /var/lib/sluice/9999/site.conf", ".Sh SEE ALSO", ".Xr sluice.conf 5 ,",
            ".Xr sluice-fcgi 8 ,", ".Xr sluice-shepherd 8 ,", ".Xr sluice-supervisor 8"]
    return "\n".join(out) + "\n"


# --- configuration -------------------------------------------------------------------

def known_keys():
    with open(os.path.join(TOP, "lib", "conf", "site_conf.c"), encoding="utf-8") as f:
        found = re.findall(r'(?:\{|NUM\(|STR\()\s*"([a-z_]+)",\s*"([a-z_0-9]+)"', f.read())
    assert len(found) > 50, found
    return found


def described_keys(known):
    """[(section, comment, [(key, default)])] of conf/site.conf; keys in a row share the comment above them."""
    found, section, comment, used = [], None, [], False
    with open(os.path.join(TOP, "conf", "site.conf"), encoding="utf-8") as f:
        for line in f:
            m = re.match(r"\[(\w+)\]", line)
            key = re.match(r";? ?(\w+) =(.*)$", line)
            if m:
                section, comment, used = m.group(1), [], False
            elif key and (section, key.group(1)) in known:
                if not used:
                    found.append((section, " ".join(comment), []))
                found[-1][2].append((key.group(1), key.group(2).strip()))
                used = True
            elif line.startswith(";"):
                comment = ([] if used else comment) + [line[1:].strip()]
                used = False
    return found


def page_of_keys():
    known = known_keys()
    described = described_keys(known)
    missing = set(known) - {(s, k) for s, comment, keys in described if comment for k, _ in keys}
    assert not missing, "conf/site.conf does not describe " + str(missing)
    out = head("SLUICE.CONF", 5, "sluice.conf", "configuration of a site")
    out += [".Sh DESCRIPTION", "The file", ".Pa site.conf", "in a site's folder is read by all of its programs.",
            "It has sections in brackets and lines", ".Dq key = value ;", "lines that begin with", ".Ql \\&;", "or",
            ".Ql #", "are comments.", "Unknown keys are refused.",
            "Relative paths are relative to the file's folder;", ".Pa @bin",
            "is the folder of the running program.", ".Pp", ".Ic sluice site init",
            "writes a file with all keys and their comments.",
            "After a change a reload of the programs takes over numbers;",
            "names and paths of the supervisor need a restart.", ".Sh KEYS"]
    for section in dict.fromkeys(s for s, _ in known):
        out += [".Ss [%s]" % section, ".Bl -tag -width Ds"]
        for s, comment, keys in described:
            if s != section:
                continue
            out.append(".It Ic " + " , ".join(key for key, _ in keys))
            out += prose(comment if comment[-1:] in (".", "") else comment + ".")
            for i, (key, default) in enumerate(keys):
                word = "Example:" if "Required." in " ".join(comment) else "Default:"
                end = "." if i == len(keys) - 1 else ","
                out += [word if len(keys) == 1 else "Defaults:" if i == 0 else "",
                        ".Ql \\&%s %s" % (escape(default), end) if default else "empty" + end]
        out = [line for line in out if line]
        out.append(".El")
    out += [".Sh SEE ALSO", ".Xr sluice 1 ,", ".Xr sluice-fcgi 8 ,", ".Xr sluice-supervisor 8"]
    return "\n".join(out) + "\n"


# --- pages that are written by hand -----------------------------------------------------

def check_programs(bin_dir):
    """Every option that a program's usage names must be in its page."""
    bad = []
    for program in ("sluice-fcgi", "sluice-supervisor", "sluice-shepherd", "sluice-model-store"):
        usage = subprocess.run([os.path.join(bin_dir, program), "--no-such-option"], capture_output=True, text=True,
                               check=False).stderr
        with open(os.path.join(MAN, program + ".8"), encoding="utf-8") as f:
            page = f.read()
        for option in set(re.findall(r"--([a-z][a-z-]+)", usage)) - {"no-such-option"}:
            if not re.search(r"\.It Fl -%s\b" % option, page):
                bad.append("docs/man/%s.8 lacks --%s" % (program, option))
    return bad


def main():
    sluice = os.path.abspath(sys.argv[1])
    pages = {"sluice.1": page_of_commands(sluice), "sluice.conf.5": page_of_keys()}
    bad = check_programs(os.path.dirname(sluice))
    for name, text in pages.items():
        path = os.path.join(MAN, name)
        if "--check" not in sys.argv:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            continue
        with open(path, encoding="utf-8") as f:
            if f.read() != text:
                bad.append("docs/man/%s is not what the programs know: make man" % name)
    for line in bad:
        print(line, file=sys.stderr)
    return 1 if bad else 0


sys.exit(main())
