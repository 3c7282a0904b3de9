"""What every object's shape shares: closed, immutable, written in camelCase."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

from reconciler.manifests.kinds.fields import Misfit
from reconciler.manifests.text.rawtext import shown

T = TypeVar("T")
SENTENCE: Final = "sentence"
"""The error type whose message goes to the person as it is; its context may name the field, `at`."""


class Shape(BaseModel):
    """A mapping in a manifest: unknown fields are errors, nothing is converted, nothing changes afterwards."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        regex_engine="rust-regex",
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Show each default as it would be written."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        names = {name for name, info in cls.model_fields.items() if not info.is_required()}
        for field, default in cls.model_construct().model_dump(mode="json", by_alias=True, include=names).items():
            schema["properties"][field]["default"] = default
        return schema

    def dumped(self) -> dict[str, Any]:
        """Give what was written, in JSON values; fields that were left out stay out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def gives(self, field: str) -> bool:
        """Tell whether the manifest gives this field a value (`null` is none)."""
        return field in self.model_fields_set and getattr(self, field) is not None


def sentence(message: str, at: str | None = None) -> PydanticCustomError:
    """Make an error whose message is shown as it is, at the field `at` (as written in YAML) of the mapping checked."""
    return PydanticCustomError(SENTENCE, "{message}", {"message": message, "at": at or ""})


ITEMS_LIMIT: Final = 1000


def _distinct(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    if not value:
        raise ValueError("the list is empty; where nothing is meant, leave the field out")
    if len(value) > ITEMS_LIMIT:
        raise ValueError(f"the list has {len(value)} entries; at most {ITEMS_LIMIT} are allowed")
    seen: set[str] = set()
    for number, item in enumerate(value):
        form = repr(item)
        if form in seen:
            raise Misfit(f"{shown(item) if isinstance(item, str) else 'this entry'} stands twice in this list", number)
        seen.add(form)
    return value


Many = Annotated[
    tuple[T, ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "maxItems": ITEMS_LIMIT, "uniqueItems": True}),
    BeforeValidator(_distinct),
]
"""A list of 1 to 1000 different entries."""


def exactly_one(shape: Shape, fields: tuple[str, ...]) -> None:
    """Refuse a mapping that gives none or several of these fields."""
    given = [field for field in fields if getattr(shape, field) is not None]
    if len(given) != 1:
        names = " or ".join(f"`{field}`" for field in fields)
        raise sentence(f"exactly one of {names} is expected here")


def one_of_schema(*fields: str) -> dict[str, Any]:
    """Say the same in JSON Schema."""
    return {"oneOf": [{"required": [field]} for field in fields]}
