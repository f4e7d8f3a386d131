#!/bin/sh
# Writes a copy of a Kubernetes secret in which each value under `data:` stands in base64, as Kubernetes wants it.
#
#     ./k8_encrypt_secret.sh [k8_secret.yaml [k8_secret_encrypted.yaml]]
#
# A value may hold any character: plain, or in single or double quotes as YAML has them. What cannot be read with
# certainty is refused with its line's number, and nothing is written. Base64 is no encryption: keep both files secret.
set -eu
input=${1:-k8_secret.yaml}
output=${2:-k8_secret_encrypted.yaml}
umask 077
exec python3 - "$input" "$output" <<'PYTHON'
import base64, json, os, re, sys

INPUT, OUTPUT = sys.argv[1:]
ENTRY = re.compile(r"(\s+)([A-Za-z_][A-Za-z0-9_.-]*):(?: +(.*?))? *")
COMMENT = re.compile(r"\s*(#.*)?")
AFTER_QUOTES = re.compile(r"( +#.*)? *")


class Refused(Exception):
    pass


def unquoted(text):
    if text.startswith("'"):
        found = re.match(r"'((?:[^']|'')*)'", text)
        value = found and found[1].replace("''", "'")
    elif text.startswith('"'):
        found = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        try:
            value = found and json.loads(found[0], strict=False)
        except ValueError:
            raise Refused("an escape that is not one of JSON's") from None
    else:
        return plain(text)
    if not found or not AFTER_QUOTES.fullmatch(text[found.end():]):
        raise Refused("quotes that do not end, or something behind them")
    return value


def plain(text):
    if re.match(r"[][{}&*!|>%@`,#]|[-?:]( |$)", text) or re.search(r":( |$)", text):
        raise Refused("a character that means something in YAML: put the value in quotes")
    return re.sub(r" #.*", "", text).rstrip(" ")


def encoded(line):
    if COMMENT.fullmatch(line):
        return line
    entry = ENTRY.fullmatch(line)
    if not entry:
        raise Refused("it is not NAME: value")
    space, name, text = entry.groups()
    value = unquoted(text or "")
    if value == "CHANGEME":
        raise Refused(f"{name} is still CHANGEME")
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise Refused("half a surrogate") from None
    return f"{space}{name}: {base64.b64encode(raw).decode()}".rstrip()


def main():
    if os.path.exists(OUTPUT) and os.path.samefile(INPUT, OUTPUT):
        sys.exit("k8_encrypt_secret.sh: input and output are the same file")
    with open(INPUT, encoding="utf-8", newline="") as file:
        lines = file.read().replace("\r\n", "\n").split("\n")
    written, problems, inside = [], [], False
    for number, line in enumerate(lines, 1):
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = re.fullmatch(r"data:\s*(#.*)?", line) is not None
            written.append(line)
            continue
        try:
            written.append(encoded(line) if inside else line)
        except Refused as refused:
            problems.append(f"{INPUT}:{number}: {refused}")
    if problems:
        sys.exit("\n".join(problems))
    with open(OUTPUT, "w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("\n".join(written))


try:
    main()
except (OSError, UnicodeDecodeError) as error:
    sys.exit(f"k8_encrypt_secret.sh: {error}")
PYTHON
