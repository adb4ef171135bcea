"""The application of the tests by itself: no error of its own making, and a twin that is equal to the table; and a
row that was changed behind its back is seen."""
import pytest

from test.lib.my_writers import Column, MyWriters, Shape, assert_equal_rows

SHAPES = {
    "auto": Shape(Column("id", "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY", key=True, auto=True),
                  Column("code", "VARCHAR(40) NOT NULL UNIQUE", lambda new: f"'c{new:09}'", unique=True),
                  Column("amount", "DECIMAL(12,2) NOT NULL", ["1.25", "-3", "0"]),
                  Column("note", "TEXT", ["NULL", "''", "'ä€😀'"])),
    "words": Shape(Column("a", "VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL", lambda new: f"'Ab{new}'", key=True,
                         respell=True),
                   Column("b", "INT NOT NULL", ["-1", "0", "1"], key=True), Column("v", "DOUBLE", ["1.5", "NULL"]),
                   tail="PRIMARY KEY (a, b)"),
}


@pytest.fixture
def place(my):
    for database in ("writers", "writers_twin"):
        my.query(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    yield "writers"
    for database in ("writers", "writers_twin"):
        my.query(f"DROP DATABASE {database}")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_twin_stays_equal(my, place, shape):
    keys = shape.make(my, place, "t", 500)
    shape.make(my, "writers_twin", "t", 500)
    writers = MyWriters(my, place, "t", shape, keys, twin_database="writers_twin", rate=600)
    writers._stop.wait(4)
    writers.stop()
    assert len(writers.verbs_done) == 11, writers.verbs_done
    assert assert_equal_rows(my, place, "writers_twin", "t") > 0
    my.query("DELETE FROM t LIMIT 1", place)
    with pytest.raises(AssertionError, match="only in writers_twin: 1"):
        assert_equal_rows(my, place, "writers_twin", "t")
