"""What a form was sent with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile


class SentForm(Mapping[str, str]):
    """The fields of a form, trimmed: `form.text("reason")`, `form.list("ids")`, `form.file("cv")`."""

    def __init__(self, fields: FormData) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        values = self.list(name)
        return values[-1] if values else default

    def list(self, name: str) -> list[str]:
        """All values of a field, such as of boxes that were ticked; without empty ones."""
        given = [value for value in self._fields.getlist(name) if isinstance(value, str)]
        # Forms send every line break as two characters: what was read and sent back would have changed.
        written = [value.replace("\r\n", "\n").strip() for value in given]
        return [value for value in written if value]

    def file(self, name: str) -> UploadFile | None:
        """The file of a field, if one was chosen."""
        given = self._fields.get(name)
        return given if isinstance(given, UploadFile) and given.filename else None

    def files(self, name: str) -> Sequence[UploadFile]:
        """All files of a field, where several can be chosen."""
        given = self._fields.getlist(name)
        return [file for file in given if isinstance(file, UploadFile) and file.filename]

    def __getitem__(self, name: str) -> str:
        if name not in self._fields:
            raise KeyError(name)
        return self.text(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._fields.keys()))

    def __len__(self) -> int:
        return len(set(self._fields.keys()))


async def sent_form(request: Request) -> SentForm:
    """The form a request brings; empty where it brings none."""
    return SentForm(await request.form())


Form = Annotated[SentForm, Depends(sent_form)]
