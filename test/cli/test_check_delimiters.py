"""Where statements end by a tool's own word, and atlas.sum."""
import base64
import hashlib

from test.cli.test_check import QUIET, check

MY = ["--engine", "mysql", "--rule", "lock-wait-timeout-missing=off", "--json"]
PROCEDURE = "CREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  UPDATE t SET a = 1 WHERE b = 2;\nEND"
DROP = "ALTER TABLE t DROP COLUMN c"


def folder(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def of(done):
    return done.json["statements"], done.json["unknown"], [rule for rule in done.rules if rule.startswith(("drop-", "syn", "migr"))]


def test_goose_bodies_of_mysql(tmp_path):
    text = f"-- +goose Up\n-- +goose StatementBegin\n{PROCEDURE};\n-- +goose StatementEnd\n{DROP};\n-- +goose Down\nSELECT 1;\n"
    statements, unknown, rules = of(check(folder(tmp_path, {"1_a.sql": text}), *MY))
    assert (statements, rules) == (2, ["drop-column", "drop-column-rebuild"]) or rules[0].startswith("drop-column")
    assert statements == 2


def test_liquibase_end_delimiter(tmp_path):
    head = "--liquibase formatted sql\n"
    text = head + f"--changeset a:1 endDelimiter://\n{PROCEDURE}\n//\n{DROP}//\n--changeset a:2\n{DROP};\nSELECT 1;\n"
    statements, unknown, rules = of(check(folder(tmp_path, {"c.sql": text}), *MY))
    assert statements == 4 and "syntax-unknown" not in rules
    text = head + f"--changeset a:1 splitStatements:false stripComments:false\n{PROCEDURE}\n--changeset a:2\n{DROP};\n"
    statements, unknown, rules = of(check(folder(tmp_path, {"c.sql": text}), *MY))
    assert statements == 2 and "syntax-unknown" not in rules
    text = head + f'--changeset a:1 endDelimiter:"\\nGO"\n{DROP}\nGO\nSELECT 1\nGO\n'
    done = check(folder(tmp_path, {"c.sql": text}), *QUIET, "--json")
    assert of(done)[0] == 2 and done.rules == ["drop-column"]
    assert done.json["findings"][0]["line"] == 3


def test_liquibase_one_message_without_a_transaction(tmp_path):
    index = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    for words, wrong in (("runInTransaction:false splitStatements:false", True), ("runInTransaction:false", False)):
        text = f"--liquibase formatted sql\n--changeset a:1 {words}\n{index}{index.replace(' i ', ' j ')}"
        rules = check(folder(tmp_path, {"c.sql": text}), *QUIET, "--json").rules
        assert ("concurrently-in-transaction" in rules) == wrong


def test_atlas_delimiter(tmp_path):
    for word, end in (("-- end", "\n-- end\n"), ("\\n\\n\\n", "\n\n\n")):
        text = f"-- atlas:delimiter {word}\n\n{PROCEDURE}{end}{DROP}{end}"
        statements, unknown, rules = of(check(folder(tmp_path, {"1.sql": text}), *MY))
        assert statements == 2 and "syntax-unknown" not in rules, (word, rules)
    text = f"-- atlas:delimiter -- end\n\n{DROP};\n-- end\n{DROP}\n-- end\n"
    assert check(folder(tmp_path, {"1.sql": text}), *QUIET, "--json").rules.count("drop-column") == 2


def sums(files):
    run, total, lines = hashlib.sha256(), hashlib.sha256(), ""
    for name, text in sorted(files.items()):
        run.update(name.encode())
        if "atlas:sum ignore\n" in text:
            continue
        run.update(text.encode())
        hashed = base64.b64encode(run.digest()).decode()
        total.update(name.encode() + hashed.encode())
        lines += f"{name} h1:{hashed}\n"
    return "h1:" + base64.b64encode(total.digest()).decode() + "\n" + lines


def test_atlas_sum(tmp_path):
    """The first sum is one that Atlas itself made, as its own tests have it."""
    made = {"20240112070806.sql": "CREATE TABLE t1(c1 int);\n"}
    assert sums(made).startswith("h1:vefBQWShy7/4OI7C1NqFH9y2PtGtOUS5zFQ1492XitE=\n20240112070806.sql h1:nhoPxDs1H3")
    files = {"1.sql": "SELECT 1;\n", "2.sql": "-- atlas:sum ignore\nSELECT 2;\n", "3.sql": "SELECT 3;\n"}

    def problems(files, text):
        done = check(folder(tmp_path, {**files, "atlas.sum": text}), "--json").json["findings"]
        return [(one["file"][-5:], one["message"]) for one in done if one["rule"] == "migration-malformed"]

    assert problems(files, sums(files)) == []
    [(name, said)] = problems({**files, "3.sql": "SELECT 4;\n"}, sums(files))
    assert name == "3.sql" and "not what atlas.sum was made for" in said
    [(name, said)] = problems({**files, "4.sql": "SELECT 4;\n"}, sums(files))
    assert name == "4.sql" and "does not know it" in said
    (tmp_path / "4.sql").unlink()
    [(name, said)] = problems(files, sums({**files, "9.sql": "SELECT 9;\n"}))
    assert name == "3.sql" and "about other files as well" in said
