"""Files of the hub's data sets, made up: the repositories, columns and types of GLUE and SQuAD."""

import hashlib
import json
import random
import re
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from datasets import ClassLabel, Dataset, Features, List, Value
from pyarrow import parquet

from tests.conftest import BAD, GOOD, WORDS

CLASS_NAMES = {
    "cola": ["unacceptable", "acceptable"],
    "sst2": ["negative", "positive"],
    "mrpc": ["not_equivalent", "equivalent"],
    "qqp": ["not_duplicate", "duplicate"],
    "mnli": ["entailment", "neutral", "contradiction"],
    "qnli": ["entailment", "not_entailment"],
    "rte": ["entailment", "not_entailment"],
    "stsb": [],  # values
}
TEXTS = {
    "cola": ["sentence"],
    "sst2": ["sentence"],
    "mrpc": ["sentence1", "sentence2"],
    "stsb": ["sentence1", "sentence2"],
    "qqp": ["question1", "question2"],
    "mnli": ["premise", "hypothesis"],
    "qnli": ["question", "sentence"],
    "rte": ["sentence1", "sentence2"],
}
GLUE, SQUAD, SQUAD_V2 = "nyu-mll/glue", "rajpurkar/squad", "rajpurkar/squad_v2"
SQUAD_CONFIGS = {SQUAD: "plain_text", SQUAD_V2: "squad_v2"}
ROWS = {"train": 60, "validation": 15, "test": 8}


def splits_of(config: str) -> dict[str, int]:
    """Rows of each split of a GLUE configuration."""
    if config != "mnli":
        return ROWS
    kinds = ("matched", "mismatched")
    parts = {f"{split}_{kind}": ROWS[split] for split in ("validation", "test") for kind in kinds}
    return {"train": ROWS["train"]} | parts


def glue_features(config: str) -> Features:
    names = CLASS_NAMES[config]
    label = ClassLabel(names=names) if names else Value("float32")
    texts = {column: Value("string") for column in TEXTS[config]}
    return Features(texts | {"label": label, "idx": Value("int32")})


def glue_rows(config: str, split: str, count: int) -> list[dict]:
    """Rows that are all different; the labels of the test splits are hidden, as on the hub."""
    draw = random.Random(f"{config} {split}")
    rows = []
    for number in range(count):
        label = draw.randrange(3 if config == "mnli" else 2)
        if config == "stsb":
            label = draw.choice([0.0, 1.25, 2.75, 4.5, 5.0])
        row = {column: sentence(draw, split, number, label) for column in TEXTS[config]}
        rows.append({**row, "label": -1 if "test" in split else label, "idx": number})
    return rows


def sentence(draw: random.Random, split: str, number: int, label: float) -> str:
    opinion = draw.choice(GOOD if label >= 1 else BAD)
    return " ".join([*draw.choices(WORDS, k=draw.randint(2, 9)), opinion, split, str(number)])


SQUAD_TEXTS = ("id", "title", "context", "question")
ANSWERS = {"text": "string", "answer_start": "int32"}
SQUAD_FEATURES = Features(
    {name: Value("string") for name in SQUAD_TEXTS}
    | {"answers": {name: List(Value(kind)) for name, kind in ANSWERS.items()}}
)


def squad_rows(repository: str, split: str, count: int) -> list[dict]:
    """Passages longer than a window of the tests; validation accepts several answers, and every
    third question of v2.0 has none."""
    draw = random.Random(f"{repository} {split}")
    rows = []
    for number in range(count):
        words = draw.choices([*WORDS, *GOOD, *BAD], k=draw.randint(5, 60))
        context, first = " ".join(words), draw.randrange(len(words))
        accepted = 3 if split == "validation" else 1
        if repository == SQUAD_V2 and number % 3 == 0:
            accepted = 0
        text, start = words[first], len(" ".join([*words[:first], ""]))
        rows.append(
            {
                "id": f"{split}{number}",
                "title": f"Films {number // 3}",
                "context": context,
                "question": f"was it {draw.choice(WORDS)} {split} {number} ?",
                "answers": {"text": [text] * accepted, "answer_start": [start] * accepted},
            }
        )
    return rows


def write_glue(hub: Path, *configs: str, features: Features | None = None, **rows) -> Path:
    """The repository with these configurations, with other features or rows of a split if given.
    Its card names all configurations, as that of a partial download does."""
    folder = hub / GLUE
    for config in configs:
        for split, count in splits_of(config).items():
            given = rows.get(split, glue_rows(config, split, count))
            write_table(folder / config, split, given, features or glue_features(config))
    write_card(folder, {name: splits_of(name) for name in CLASS_NAMES})
    return folder


def write_squad(hub: Path, repository: str) -> Path:
    folder, config = hub / repository, SQUAD_CONFIGS[repository]
    for split in ("train", "validation"):
        rows = squad_rows(repository, split, ROWS[split])
        spelled_as_of_old(write_table(folder / config, split, rows, SQUAD_FEATURES))
    write_card(folder, {config: ("train", "validation")})
    return folder


def write_table(folder: Path, split: str, rows: list[dict], features: Features) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    kept = [{name: row[name] for name in features} for row in rows]
    file = folder / f"{split}-00000-of-00001.parquet"
    Dataset.from_list(kept, features=features).to_parquet(file)
    return file


def spelled_as_of_old(file: Path) -> None:
    """SQuAD's files on the hub describe their answers as a "Sequence", which no library of today
    writes any more."""
    inner = {name: {"dtype": kind, "_type": "Value"} for name, kind in ANSWERS.items()}
    texts = {name: {"dtype": "string", "_type": "Value"} for name in SQUAD_TEXTS}
    features = texts | {"answers": {"feature": inner, "_type": "Sequence"}}
    table = parquet.read_table(file)
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(described), file)


def write_card(folder: Path, configs: dict[str, Iterable[str]]) -> None:
    """README.md with the metadata that says which files belong to which configuration."""
    listed = [
        {
            "config_name": name,
            "data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in splits],
        }
        for name, splits in configs.items()
    ]
    (folder / "README.md").write_text(
        f"---\n{yaml.safe_dump({'configs': listed})}---\n\n# Made up\n"
    )


def into_cache(cache: Path, kind: str, repository: str, folder: Path, revision: str) -> None:
    """Put a repository's files where a download of the hub's library would have put them."""
    place = cache / "hub" / f"{kind}--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    (place / "blobs").mkdir()
    for number, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        blob = place / "blobs" / f"{number:040x}"
        blob.write_bytes(file.read_bytes())
        link = place / "snapshots" / revision / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)


class Hub(ThreadingHTTPServer):
    """A small hub on this computer that serves the repositories of a folder, all at one revision;
    with `is_broken` it lists files and then hangs up when they are asked for."""

    def __init__(self, root: Path, revision: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.root, self.revision, self.is_broken = root, revision, False
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        asked = re.fullmatch(r"/api/(?:models|datasets)/(.+)/(revision|tree)/\w+", path)
        file = re.fullmatch(r"/(?:datasets/)?(.+)/resolve/\w+/(.+)", path)
        if path == "/":
            self.answer(b"")
        elif asked and (self.server.root / asked[1]).is_dir():
            self.answer(json.dumps(self.described(*asked.groups())).encode())
        elif file and self.server.is_broken:
            self.connection.close()
        elif file and (self.server.root / file[1] / file[2]).is_file():
            self.answer((self.server.root / file[1] / file[2]).read_bytes())
        else:
            self.answer(b"", 404, **{"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def described(self, repository: str, what: str) -> object:
        if what == "revision":
            return {"id": repository, "sha": self.server.revision, "siblings": []}
        folder = self.server.root / repository
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]

    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        known = {"Content-Length": str(len(content)), "X-Repo-Commit": self.server.revision}
        known["ETag"] = f'"{hashlib.sha1(content).hexdigest()}"'
        for name, value in (known | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_arguments) -> None:
        """Say nothing on the terminal."""
