"""Write schemas/v1 anew from the kinds: `python -m tools.make_schemas`."""

from __future__ import annotations

from pathlib import Path

from reconciler.schema import all_schemas, schema_text

DIRECTORY = Path(__file__).resolve().parent.parent / "schemas" / "v1"


def main() -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    made = all_schemas()
    for stale in DIRECTORY.glob("*.json"):
        if stale.name not in made:
            stale.unlink()
    for name, schema in made.items():
        (DIRECTORY / name).write_text(schema_text(schema), encoding="utf-8")
        print(DIRECTORY / name)


if __name__ == "__main__":
    main()
