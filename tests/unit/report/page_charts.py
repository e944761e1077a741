"""The chart specifications of a page, as its script puts them together."""

import json


def charts_in(text):
    """Return each chart's specification by its name, of the text of the page's element ``specs``."""
    specs = json.loads(text)
    return {name: _chart(specs["templates"], **chart) for name, chart in specs["charts"].items()}


def _chart(templates, template, rows=None):
    spec = templates[template]
    return spec if rows is None else {**spec, "datasets": {**spec["datasets"], "rows": _rows(rows)}}


def _rows(table):
    columns = [
        column if isinstance(column, list) else [column["of"][place] for place in column["at"]]
        for column in table.values()
    ]
    return [dict(zip(table, values, strict=True)) for values in zip(*columns, strict=True)]
