"""A field for a caption in a notebook cell: click a word, and what it means is an object."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from evavos_widget.files import in_words
from evavos_widget.grounding.rfvng import RfVngGrounder
from evavos_widget.grounding.session import Grounded, ground
from evavos_widget.networks.words import word_spans
from evavos_widget.session import Session

__all__ = ["CaptionBox"]


class CaptionBox(ipywidgets.VBox):
    """Type or paste a caption, and click the noun that is meant.

    Show it over an `Annotator` of the same session, where the new object appears on the frame
    where its mask is most certain, to be corrected and propagated as any other.

    Parameters
    ----------
    session : Session
    caption : str
    grounder : RfVngGrounder, optional
        The one with the weights of the package by default; it is loaded at the first click.

    Attributes
    ----------
    found : list of Grounded
        What was added, in order.
    """

    def __init__(
        self, session: Session, caption: str = "", *, grounder: RfVngGrounder | None = None
    ) -> None:
        self.session, self.found = session, list[Grounded]()
        self._grounder = grounder
        self._field = ipywidgets.Textarea(
            value=caption,
            placeholder="Say what the video shows, then click a noun",
            layout=ipywidgets.Layout(width="100%", height="4em"),
        )
        self._words = ipywidgets.Box(layout=ipywidgets.Layout(flex_flow="row wrap"))
        self._told = ipywidgets.Label()
        super().__init__([self._field, self._words, self._told])
        self._field.observe(lambda change: self._spread(), names="value")
        self._spread()

    @property
    def caption(self) -> str:
        """What stands in the field; set it to put something else there."""
        return self._field.value

    @caption.setter
    def caption(self, caption: str) -> None:
        self._field.value = caption

    @property
    def words(self) -> tuple[ipywidgets.Button, ...]:
        """A button for each word of the caption."""
        return self._words.children

    def mark(self, span: Sequence[int]) -> Grounded | None:
        """Add what a part of the caption means, as a click on a word does.

        Returns
        -------
        Grounded or None
            None where nothing was found, which the line below the words says.
        """
        noun = self.caption[span[0] : span[1]]
        self._told.value = f"looking for {noun!r}..."
        try:
            self._grounder = self._grounder or RfVngGrounder()
            added = ground(self.session, self.caption, span, grounder=self._grounder)
        except Exception as error:  # else the line would say for ever that it looks
            self._told.value = in_words(error)
            return None
        self.found.append(added)
        self._told.value = (
            f"{noun!r} is object {added.object}, outlined on frame {added.frame}; expected to be "
            f"{added.trust:.0%} right"
        )
        return added

    def _spread(self) -> None:
        """Give every word of the caption its button."""
        buttons = []
        for span in word_spans(self.caption):
            word = self.caption[span[0] : span[1]]
            if word.isalnum() or len(word) > 1:
                button = ipywidgets.Button(
                    description=word, layout=ipywidgets.Layout(width="auto", margin="1px")
                )
                button.on_click(lambda _, span=span: self.mark(span))
                buttons.append(button)
        self._words.children = tuple(buttons)
