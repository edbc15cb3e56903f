"""What was measured: each number with its samples and, where one is promised, its bound."""
import json
import operator
import statistics

KINDS = {"≤": operator.le, "≥": operator.ge, "<": operator.lt}


class Report:
    def __init__(self):
        self._values = {}
        self._bounds = {}

    def add(self, name, unit, samples, bound=None):
        """`bound` is (one of KINDS, number), for the median of the samples."""
        assert name not in self._values, name
        samples = list(samples)
        self._values[name] = {"value": statistics.median(samples), "unit": unit, "samples": samples}
        if bound:
            self._bounds[name] = bound

    def is_met(self, name):
        kind, limit = self._bounds[name]
        return KINDS[kind](self._values[name]["value"], limit)

    def missed(self):
        return [name for name in self._bounds if not self.is_met(name)]

    def save(self, path):
        path.write_text(json.dumps(self._values, indent=1) + "\n")

    def table(self):
        lines = [f"{'':36} {'median':>12} {'':9} {'of':>4}  {'lowest … highest':22} {'bound':>12}"]
        for name, value in self._values.items():
            samples = value["samples"]
            spread = f"{short(min(samples))} … {short(max(samples))}"
            line = f"{name:36} {short(value['value']):>12} {value['unit']:9} {len(samples):4}  {spread:22}"
            if name in self._bounds:
                kind, limit = self._bounds[name]
                line += f" {kind + ' ' + short(limit):>12} {'met' if self.is_met(name) else 'MISSED'}"
            lines.append(line.rstrip())
        return "\n".join(lines)


def short(number):
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
