"""Checks recorded requests against the discovery documents that come with Google's own client.

usage: google_discovery.py REQUESTS_FILE

The file holds a JSON list of {"api", "method", "path", "query", "body"}: `api` is "calendar" or "directory", `path` is
decoded and lies below the API's base, `query` is a list of pairs. Prints one JSON object: `checked` (the ids of the
methods that were recognised, sorted) and `wrong` (one sentence for each thing that no document knows).
"""

import json
import re
import sys

from googleapiclient.discovery_cache import get_static_doc

DOCUMENTS = {"calendar": ("calendar", "v3", ""), "directory": ("admin", "directory_v1", "admin/directory/v1/")}


def methods(resources, found):
    for resource in resources.values():
        found.extend(resource.get("methods", {}).values())
        methods(resource.get("resources", {}), found)
    return found


def load(api):
    name, version, prefix = DOCUMENTS[api]
    document = json.loads(get_static_doc(name, version))
    known = []
    for method in methods(document["resources"], []):
        path = method["path"].removeprefix(prefix)
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\+?\w+\})", path)
        )
        known.append((method["httpMethod"], re.compile(pattern), method))
    return document, known


def value_fits(parameter, value):
    kind, choices = parameter.get("type"), parameter.get("enum")
    if kind == "integer" and not re.fullmatch(r"-?\d+", value):
        return False
    if kind == "boolean" and value not in ("true", "false"):
        return False
    if kind == "integer" and int(value) > int(parameter.get("maximum", value)):
        return False
    return choices is None or value in choices


def check_query(document, method, query, wrong):
    known = {**document["parameters"], **method.get("parameters", {})}
    for name, value in query:
        if name not in known or known[name].get("location", "query") != "query":
            wrong.append(f"{method['id']} has no parameter {name}")
        elif not value_fits(known[name], value):
            wrong.append(f"{method['id']} does not take {name}={value}")
    for name, parameter in method.get("parameters", {}).items():
        required = parameter.get("required") and parameter["location"] == "query"
        if required and name not in dict(query):
            wrong.append(f"{method['id']} needs {name}")


def check_value(document, schema, value, where, wrong):
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    kind = schema.get("type", "object")
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    if not isinstance(value, types.get(kind, object)) or (kind == "integer" and isinstance(value, bool)):
        wrong.append(f"{where} is no {kind}")
    elif kind == "object":
        for name, member in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if inner is None:
                wrong.append(f"{where} has no member {name}")
            else:
                check_value(document, inner, member, f"{where}.{name}", wrong)
    elif kind == "array":
        for member in value:
            check_value(document, schema["items"], member, f"{where}[]", wrong)


def main():
    loaded = {api: load(api) for api in DOCUMENTS}
    checked, wrong = set(), []
    with open(sys.argv[1], encoding="utf-8") as file:
        requests = json.load(file)
    for request in requests:
        document, known = loaded[request["api"]]
        fits = [m for verb, path, m in known if verb == request["method"] and path.fullmatch(request["path"])]
        if not fits:
            wrong.append(f"no method is called by {request['method']} {request['path']}")
            continue
        # events/{eventId} fits events/watch too where the verb is the same; the longer literal path is meant.
        method = min(fits, key=lambda method: method["path"].count("{"))
        checked.add(method["id"])
        check_query(document, method, request["query"], wrong)
        if "request" in method:
            check_value(document, method["request"], request["body"], method["request"]["$ref"], wrong)
        elif request["body"] is not None:
            wrong.append(f"{method['id']} takes no body")
    print(json.dumps({"checked": sorted(checked), "wrong": wrong}))


main()
