"""Behind an access gateway: sessions are cut in the middle, and passwords hold for a moment only."""
import pytest
import contextlib
import pathlib
import random
import select
import socket
import threading
import time

from test.lib.servers import until
from test.lib.writers import Writers

pytestmark = pytest.mark.long


class Gateway:
    """A TCP proxy that cuts every session at a random moment within `seconds`, at both ends."""

    def __init__(self, port, seconds):
        self.target, self.seconds = port, seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sessions = self.cut = 0
        self.cutting = False
        self.chance = random.Random(7)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.carry, args=[client, self.chance.uniform(0.3, self.seconds)], daemon=True).start()

    def carry(self, client, seconds):
        end = time.monotonic() + seconds
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            other = {client: server, server: client}
            while True:
                left = end - time.monotonic()
                if left <= 0 and self.cutting:
                    self.cut += 1
                    return
                for ready in select.select([client, server], [], [], max(left, 0.05) if self.cutting else 0.5)[0]:
                    try:
                        data = ready.recv(65536)
                        if not data:
                            return
                        other[ready].sendall(data)
                    except OSError:
                        return

    def close(self):
        self.listener.close()


@contextlib.contextmanager
def passwords_asked_of(db, role):
    path = pathlib.Path(db.value("SHOW hba_file"))
    before = path.read_text()
    path.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n" + before)
    db.admin.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        path.write_text(before)
        db.admin.execute("SELECT pg_reload_conf()")


def test_every_session_is_cut_and_every_password_is_new(db, stoa):
    count = 10000
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, v int NOT NULL DEFAULT 1, pad text); "
           f"INSERT INTO t SELECT i, i, 1, repeat('x', 50) FROM generate_series(1, {count}) i")
    role = db.role("visitor")
    db.run(f"GRANT {db.owner} TO {role}; GRANT CREATE, TEMPORARY ON DATABASE {db.name} TO {role}", user="postgres")
    # each asking sets another password, which the one before does not survive
    command = (f"word=$(od -An -N8 -tx8 /dev/urandom | tr -d ' '); echo asked >> asked; "
               f"{db.server.build.bin}/psql -qX '{db.admin_url}' -c \"ALTER ROLE {role} PASSWORD '$word'\" >/dev/null && echo $word")
    gateway = Gateway(db.server.port, 2)
    writers = Writers(db, "t", ["UPDATE {t} SET v = v + 1 WHERE id = %(n)s", "UPDATE {t} SET a = %(m)s WHERE id = %(n)s",
                                "INSERT INTO {t} (id, a) VALUES (%(new)s, %(m)s)"], count)
    with passwords_asked_of(db, role):
        carry_out(db, stoa, role, command, gateway, writers)
    assert db.value("SELECT count(*) FROM t WHERE b IS DISTINCT FROM a::bigint * 2") == 0
    assert db.columns("t")["b"][1], "NOT NULL"
    lost = db.value("SELECT count(*) FROM stoa.events WHERE kind = 'conn_lost'")
    asked = pathlib.Path(stoa.home.name) / "asked"
    assert gateway.cut >= 4 and lost >= 1, (gateway.sessions, gateway.cut, lost)
    assert len(asked.read_text().splitlines()) >= gateway.cut
    assert stoa("history", "--verify", "--json").json["verified"]
    print(f"{gateway.sessions} sessions, {gateway.cut} cut, {lost} connections lost by the work")


def carry_out(db, stoa, role, command, gateway, writers):
    url = f"postgres://{role}@127.0.0.1:{gateway.port}/{db.name}"
    try:
        change = ["ALTER TABLE t ADD COLUMN b bigint NOT NULL", "--backfill", "t.b = a::bigint * 2", "--name", "fill", "--yes",
                  "--password-command", command, "--chunk-time", "20ms", "--nice", "4"]
        running = stoa.start("apply", *change, url=url)
        # a plan is made in one session: from when the change has begun, none lives longer than two seconds
        until(lambda: db.value("SELECT to_regclass('stoa.changes')") and db.value("SELECT count(*) FROM stoa.changes"), 120,
              running.partial)
        gateway.cutting = True
        for _ in range(20):
            ended = running.wait(None, 240)
            if ended.code == 0:
                break
            running = stoa.start("apply", *change, url=url)
            # what is cut before anything was begun is said, and can be done again
            assert ended.code in (3, 7), str(ended)
        assert ended.code == 0, str(ended)
    finally:
        writers.stop()
        gateway.close()
