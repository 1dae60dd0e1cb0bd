"""A run beside every published row of its task and data set, whosever system it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sbirctl.models import Column
from sbirctl.report.comparability import obstacles, other_definition
from sbirctl.report.comparison import Cell, Printed, explain, printed_of, remarks_on
from sbirctl.report.ledger import LedgerRow, read_ledger
from sbirctl.report.protocol_checks import PROTOCOL_CHECKS, Protocols
from sbirctl.report.published import Figure
from sbirctl.report.sizes import published_sizes
from sbirctl.report.subject import Subject
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition

_NO_LIST = {
    "fg": "its test instances are not stated",
    "gzs": "it does not state which seen classes join and which of their images",
}


def ledger_cells(
    subject: Subject, own: Sequence[Figure], definition: Definition | None = None
) -> tuple[Cell, ...]:
    """One cell a published figure of the subject's task and data set, comparable ones first.

    Rows of the subject's own model are held to all checks of `comparability`; of other systems
    the protocol and the definition must agree.

    Args:
        own: figures of the card of the subject's model.
        definition: of ours, instead of each row's.
    """
    where = (subject.task, subject.dataset, subject.trained_on)
    found = [
        *_of_own(subject, own, definition),
        *(
            _of_other(row, metric, subject, definition)
            for row in read_ledger()
            if (row.task, row.dataset, row.trained_on) == where
            and not (row.preset and row.model == subject.model)
            for metric in row.figures
        ),
    ]
    return tuple(sorted(found, key=lambda cell: bool(cell.reasons)))


def column_of(row: LedgerRow, metric: str) -> Column:
    """What a row says of its protocol, as a column of a card has it."""
    if row.column is not None:
        return row.column
    if not row.split:
        unknown = _NO_LIST.get(row.task, "its class list is not stated")
        return Column(metric, row.dataset, undetermined=unknown, trained_on=row.trained_on)
    queries, photos = published_sizes(row.task, row.dataset, row.split)
    return Column(
        metric,
        row.dataset,
        row.split,
        "inferred" if row.split_status == "inferred" else "stated",
        _NO_LIST.get(row.task, "") if row.task == "gzs" else "",
        trained_on=row.trained_on,
        queries=queries,
        photos=photos,
    )


def _of_own(
    subject: Subject, own: Sequence[Figure], definition: Definition | None
) -> Iterator[Cell]:
    told = set()
    for figure in own:
        here = (figure.column.dataset, figure.column.trained_on, figure.table.task)
        row = (figure.preset.name, figure.metric, figure.value)
        if here != (subject.dataset, subject.trained_on, subject.task) or row in told:
            continue
        told.add(row)
        yield Cell(
            figure.metric,
            definition or get_definition(figure.table.measured_by),
            printed_of(figure),
            obstacles(figure, subject, definition),
            remarks_on(figure, subject),
        )


def _of_other(row: LedgerRow, metric: str, subject: Subject, definition: Definition | None) -> Cell:
    column, known = column_of(row, metric), subject.provenance
    reasons = [
        reason
        for check in PROTOCOL_CHECKS
        for reason in check(Protocols(column, row.task, subject))
    ]
    about = (known.leak, known.after_model, known.held_out if known.trained else "")
    reasons += [text for text in about if text]
    theirs = row.definition or ("" if row.quoted_by else row.code)
    if row.quoted_by:
        reasons.append(f"quoted; its original: {row.original or 'not in the ledger'}")
    elif not theirs:
        reasons.append("its definition is not stated")
    else:
        reasons += other_definition(metric, theirs, definition)
    used = definition or get_definition(theirs or "standard")
    words = explain(metric, get_definition(theirs)) if theirs else "not stated"
    source = f"{row.quoted_by or row.source}, {row.system}"
    printed = Printed(row.figures[metric], row.system, words, _protocol(row), source)
    return Cell(metric, used, printed, tuple(reasons), _remarks(row, column))


def _protocol(row: LedgerRow) -> str:
    across = f" trained on {row.trained_on}" if row.trained_on else ""
    listed = f"{row.split} ({row.split_status})" if row.split else "list not stated"
    return f"task {row.task}{across}; {listed}"


def _remarks(row: LedgerRow, column: Column) -> tuple[str, ...]:
    said = list(row.flags)
    if row.code and not row.definition and not row.quoted_by:
        said.append("The definition is that of its code.")
    if column.split_status == "inferred":
        said.append("The split is inferred from the paper's numbers of classes.")
    if row.quoted_in:
        said.append(f"Quoted in {', '.join(row.quoted_in)}.")
    if row.backbone:
        said.append(f"Backbone: {row.backbone}.")
    if row.chosen_on:
        said.append(f"Its checkpoint was chosen on {row.chosen_on}.")
    return tuple(said)
