#!/usr/bin/env python3
"""docs/openapi.json from docs/api.md, and both against the route table.

usage: docs/openapi.py PATH/sluice-fcgi [--check]
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {"text": {"type": "string"}, "integer": {"type": "integer"}, "number": {"type": "number"},
         "object": {"type": "object"}, "array": {"type": "array", "items": {}}, "any": {},
         "flag": {"oneOf": [{"type": "boolean"}, {"type": "integer", "enum": [0, 1]}]},
         "party": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}


def routes(program):
    """(method, path) -> (least role, body) of what users may ask."""
    out = subprocess.run([program, "--routes"], check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in out.splitlines()]
    return {(m, p): (audience, body) for m, p, audience, body in rows if audience != "partner"}


def documented():
    """(method, path) -> {"text", "Fields", "Answer", "Errors", "tag"}"""
    found, tag, names, block, last = {}, "", [], {}, "text"
    with open(os.path.join(HERE, "api.md"), encoding="utf-8") as f:
        for line in f.read().split("\n"):
            if line.startswith("## "):
                tag, names = line[3:], []
            elif line.startswith("### ") and " /v1/" in line:
                block = {"tag": tag, "text": "", "Fields": "", "Answer": "", "Errors": ""}
                names = [tuple(n.strip().split(" ")) for n in line[4:].split(",")]
                last = "text"
                for name in names:
                    if name in found:
                        sys.exit("docs/api.md: %s twice" % (name,))
                    found[name] = block
            elif line.startswith("#"):
                names = []
            elif names and line:
                key, _, rest = line.partition(": ")
                if key in ("Fields", "Answer", "Errors"):
                    block[key] = rest
                    last = "text" if key == "Fields" else key
                else:  # it goes on
                    block[last] += (" " if block[last] else "") + line
    return found


def schema(fields, where):
    properties, needed = {}, []
    for field in filter(None, fields.split(", ")):
        m = re.fullmatch(r"`(\w+)`(\*?) (\w+)", field)
        if not m or m.group(3) not in TYPES:
            sys.exit("docs/api.md: %s: no field: %s" % (where, field))
        properties[m.group(1)] = TYPES[m.group(3)]
        if m.group(2):
            needed.append(m.group(1))
    return {"type": "object", "properties": properties, **({"required": needed} if needed else {})}


def operation(name, block, audience, body):
    text = " ".join(filter(None, [block["text"], block["Answer"] and "Answer: " + block["Answer"],
                                  block["Errors"] and "Errors: " + block["Errors"]]))
    out = {"tags": [block["tag"]], "description": text, "x-least-role": audience,
           "responses": {"200": {"$ref": "#/components/responses/envelope"},
                         "default": {"$ref": "#/components/responses/envelope"}}}
    parameters = re.findall(r":(\w+)", name[1])
    if parameters:
        out["parameters"] = [{"name": p, "in": "path", "required": True, "schema": {"type": "string"}} for p in parameters]
    if body != "none":
        content = {"application/json": {"schema": schema(block["Fields"], name)}}
        if body == "upload":
            content["multipart/form-data"] = {"schema": {"type": "object", "properties": {
                "file": {"type": "string", "format": "binary"}}}}
        out["requestBody"] = {"content": content}
    return out


def openapi(table, pages):
    paths = {}
    for name, (audience, body) in table.items():
        path = re.sub(r":(\w+)", r"{\1}", name[1])
        paths.setdefault(path, {})[name[0].lower()] = operation(name, pages[name], audience, body)
    envelope = {"type": "object", "required": ["retcode", "retmsg"], "properties": {
        "retcode": {"type": "integer"}, "retmsg": {"type": "string"}, "data": {}, "jobId": {"type": "string"},
        "meta": {"type": "object"}, "errors": {"type": "array", "items": {"type": "object", "properties": {
            "pointer": {"type": "string"}, "message": {"type": "string"}}}}}}
    return {"openapi": "3.0.3", "info": {"title": "Sluice", "version": "v1", "license": {"name": "Apache-2.0"}},
            "paths": paths, "components": {"responses": {"envelope": {
                "description": "the envelope, or a file", "content": {"application/json": {"schema": envelope}}}}}}


def main():
    table, pages = routes(sys.argv[1]), documented()
    for name in sorted(table.keys() - pages.keys()):
        print("docs/api.md does not speak of %s %s" % name, file=sys.stderr)
    for name in sorted(pages.keys() - table.keys()):
        print("docs/api.md speaks of %s %s, which is no route" % name, file=sys.stderr)
    if table.keys() - pages.keys():
        return 1
    text = json.dumps(openapi(table, pages), indent=1) + "\n"
    target = os.path.join(HERE, "openapi.json")
    if sys.argv[2:] == ["--check"]:
        with open(target, encoding="utf-8") as f:
            if f.read() != text:
                print("docs/openapi.json is not what docs/api.md says: make api-docs", file=sys.stderr)
                return 1
        return 0 if table.keys() == pages.keys() else 1
    with open(target, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


sys.exit(main())
