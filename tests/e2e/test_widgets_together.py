"""Several widgets in one notebook: each looks as it does alone."""

from __future__ import annotations

from collections.abc import Callable

from lab import Notebook

from evavos_widget.widgets.bundle import page

CELLS = (
    """\
from evavos_widget import Annotator, Curves, PolicyExplorer, Session, Verifier, embedded_clip
clip = embedded_clip()
session = Session(clip.video, path=None, propagator="flow", predictor="classical")
session.add_object("astronaut")
session.annotate(0, clip.ground_truth[0] == 1, objects=[1])
session.propagate()
Annotator(session)""",
    "Verifier(session, 1)",
    "Curves.of_session(session)",
    "PolicyExplorer(session)",
)
WIDGETS = ("annotator", "verifier", "curves", "policy")

#: Where all parts of a widget are, to a quarter of a pixel, and how they look, with each of some
#: sets of sheets; in one go, so that nothing else happens in between.
LOOKS = """(root, sets) => {
    const given = [...document.querySelectorAll("style")].filter(
        (style) => style.textContent.includes(".evavos"));
    for (const style of given) style.media = "not all";
    const looks = sets.map((sheets) => {
        const added = sheets.map((sheet) => {
            const style = document.createElement("style");
            style.textContent = sheet;
            document.head.append(style);
            return style;
        });
        const from = root.getBoundingClientRect();
        const parts = [...root.querySelectorAll("*")].filter((p) => p.getClientRects().length);
        const look = parts.map((part) => {
            const { x, y, width, height } = part.getBoundingClientRect();
            const place = [x - from.x, y - from.y, width, height].map((v) => Math.round(4 * v) / 4);
            const { color, backgroundColor, borderColor, fontSize } = getComputedStyle(part);
            const name = `${part.tagName}.${part.getAttribute("class")}`;
            return [name, ...place, color, backgroundColor, borderColor, fontSize].join(" ");
        });
        for (const style of added) style.remove();
        return look;
    });
    for (const style of given) style.media = "";
    return looks;
}"""


def test_no_widget_has_a_look_from_the_sheets_of_others(open_notebook: Callable[..., Notebook]):
    notebook = open_notebook(*CELLS)
    for index in range(len(CELLS)):
        notebook.run_cell(index)
        notebook.page.locator(".evavos").nth(index).wait_for()
    notebook.wait_until_idle()
    sheets = {name: page(name)["_css"] for name in (*WIDGETS, "campaign")}
    for width in (1280, 820):
        notebook.page.set_viewport_size({"width": width, "height": 900})
        for index, name in enumerate(WIDGETS):
            root = notebook.page.locator(".evavos").nth(index)
            root.scroll_into_view_if_needed()
            own, others = sheets[name], [sheets[other] for other in sheets if other != name]
            alone, *together = root.evaluate(LOOKS, [[own], [own, *others], [*others, own]])
            assert len(alone) > 40
            for look in together:
                assert look == alone, (name, width)
