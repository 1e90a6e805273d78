"""The lecturer's desk: which class, who may join, and what is kept of it."""

from collections.abc import Callable

import streamlit as st

from core.classroom import administration, class_answers, report
from core.classroom import invitation as inviting
from core.classroom.administration import MOST_TITLE, Classroom
from core.lessons.lesson import Lesson
from core.lessons.lesson_list import ENGLISH
from core.lessons.lesson_list import lessons as on_shelf
from pages.ui import state, url_state
from pages.ui.classroom import board, guesses, projector, whereabouts
from pages.ui.formatting import plain

INVITE, ANSWERS, WHO_IS_WHERE, CHALLENGE, PROJECTOR = VIEWS = (
    *("invite", "answers", "where", "challenge", "projector"),
)
TITLES = {
    INVITE: "Invite",
    ANSWERS: "Answers",
    WHO_IS_WHERE: "Who is where",
    CHALLENGE: "Challenge",
    PROJECTOR: "Projector",
}
CLASS, TITLE, LESSON = "watched_class", "class-title", "class-lesson"
LOCAL = ("http://localhost", "http://127.", "http://[::1]")


def view() -> str:
    """Which view of the class."""
    chosen = st.segmented_control(
        "Show",
        VIEWS,
        required=True,
        format_func=lambda one: TITLES[one],
        label_visibility="collapsed",
        **url_state.by_id("class_view", VIEWS, usual=INVITE),
    )
    return chosen or INVITE


def choose() -> Classroom | None:
    """The class that is looked at; None for a new one."""
    known = {one.code: one for one in state.attempt(administration.classes) or []}
    if not known:
        return None
    codes = ["", *known]
    with st.popover("Classes", icon=":material/groups:"):
        code = st.selectbox(
            "Class",
            codes,
            format_func=lambda one: f"{known[one].title} ({one})" if one else "A new class",
            **url_state.by_id(CLASS, codes),
        )
    return known.get(code)


def draw(view: str, classroom: Classroom) -> None:
    """One view of a class."""
    if view == INVITE:
        invitation(classroom)
        keeping(classroom)
    else:
        lesson = lesson_of(classroom)
        if lesson is not None:
            PANELS[view](classroom, lesson)


def lesson_of(classroom: Classroom) -> Lesson | None:
    """The lesson that the class does; one that is gone is said."""
    found = {one.name: one for one in on_shelf(ENGLISH)[0]}.get(classroom.lesson)
    if found is None:
        st.error(
            f"The lesson {plain(classroom.lesson)} of this class is no longer there.",
            icon=":material/error:",
        )
    return found


def open_one() -> None:
    """The form that opens a class."""
    lessons = {one.name: one for one in on_shelf(ENGLISH)[0]}
    with st.form("open-class"):
        st.text_input("Name of the class", max_chars=MOST_TITLE, key=TITLE)
        st.selectbox(
            "Lesson",
            list(lessons),
            format_func=lambda one: f"{lessons[one].number} · {lessons[one].title}",
            key=LESSON,
        )
        st.form_submit_button("Open the class", type=state.main_button(), on_click=_open)
    st.caption(
        "Students join with a nickname, without an account. What they answer is kept on this "
        "server, in one file, until you delete the class."
    )


def _open() -> None:
    with state.explained():
        state.check("lead")
        opened = administration.open_class(state.typed(TITLE), state.typed(LESSON))
        url_state.choose(CLASS, opened.code, "")


def invitation(classroom: Classroom) -> None:
    """The address and its QR code."""
    server = state.server_address()
    link = inviting.address(server, classroom.code)
    st.header(f"Join {plain(classroom.title)}", divider="gray")
    picture, words = st.columns([1, 2], vertical_alignment="center")
    picture.image(inviting.qr_svg(link), caption="QR code of the address", width=280)
    with words:
        st.markdown("Point a phone's camera at the code, or type the address:")
        st.code(link, language=None)
        if server.startswith(LOCAL):
            st.warning(
                "Only this computer can open that address. To let a class in, start the app as "
                "README says under 'A class on one server', and open it by that address here too.",
                icon=":material/lan:",
            )


def keeping(classroom: Classroom) -> None:
    """Take the answers away as a file; delete the class."""
    given = state.attempt(class_answers.answers_of, classroom.code) or []
    st.header("What is kept", divider="gray")
    st.markdown(f"{len(given):d} answers so far.")
    with st.container(horizontal=True):
        for name, text in (
            ("CSV", lambda: report.as_csv(given)),
            ("JSON", lambda: report.as_json(classroom, given)),
        ):
            st.download_button(
                f"Answers as {name}",
                text,
                file_name=f"class-{classroom.code}.{name.lower()}",
                icon=":material/download:",
                disabled=not given,
            )
        with st.popover("Delete this class", icon=":material/delete:"):
            st.markdown(
                f"The class, everybody in it and {len(given):d} answers. Nothing brings them back."
            )
            st.button("Delete everything for good", on_click=_delete, args=(classroom.code,))


def _delete(code: str) -> None:
    with state.explained():
        state.check("lead")
        administration.delete_class(code)
        url_state.choose(CLASS, "", "")


PANELS: dict[str, Callable[[Classroom, Lesson], None]] = {
    ANSWERS: guesses.panel,
    WHO_IS_WHERE: whereabouts.panel,
    CHALLENGE: board.panel,
    PROJECTOR: projector.panel,
}
