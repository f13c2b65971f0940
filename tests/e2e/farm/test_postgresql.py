"""X2Go Servers that share one PostgreSQL database: each of them lists the sessions of all."""

from __future__ import annotations

import pytest
from e2e.farm.alice import at, left_behind, session_of
from e2e.farm.farm import Farm
from e2e.farm.host import X2GOSERVER
from e2e.farm.lan import ADDRESSES
from e2e.machine import Account
from e2e.x2goclient import X2GOCLIENT

NEEDS = ("libdbd-pg-perl", "postgresql", *X2GOCLIENT, *X2GOSERVER)

SERVE = """
set -e
data=/var/lib/postgresql/farm bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
install -d -o postgres -g postgres /run/postgresql $data
echo secret | tee /run/password > /etc/x2go/x2gosql/passwords/pgadmin
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
as_postgres $bin/initdb -D $data -A scram-sha-256 -N --pwfile=/run/password
echo 'host all all 10.0.0.0/24 scram-sha-256' >> $data/pg_hba.conf
as_postgres $bin/pg_ctl -w -D $data -l $data/log -o '-c listen_addresses=* -c fsync=off' start
x2godbadmin --createdb
x2godbadmin --adduser alice
"""

JOIN = f"""
cat > /etc/x2go/x2gosql/sql <<END
backend=postgres
[postgres]
host={ADDRESSES["h1"]}
port=5432
dbadmin=postgres
ssl=disable
END
"""

SHARED = ("/etc/x2go/x2gosql/passwords/x2gopgadmin", "/home/alice/.x2go/pgsqlpass")


@pytest.fixture
def farm(farm: Farm) -> Farm:
    """The usual one, where the first server keeps the database of both."""
    for host in (farm.h1, farm.h2):
        host.run("sh", "-c", JOIN)
    farm.h1.run("sh", "-c", SERVE)
    farm.h2.run("install", "-d", "-o", "alice", "-g", "alice", "/home/alice/.x2go")
    for file in SHARED:
        copied = farm.h1.run("cat", file)
        farm.h2.run("sh", "-c", f"umask 077; printf %s '{copied}' > {file}")
    farm.h2.run("chown", "alice:", SHARED[1])
    return farm


def test_a_session_is_found_where_it_is_and_nowhere_else(farm: Farm, account: Account) -> None:
    with farm.broker() as broker:
        host, session = left_behind(farm, broker, account)
        other = farm.h2 if host is farm.h1 else farm.h1
        with farm.agent(other) as agent:
            assert agent.event("hello")["database"] == "postgresql"
            assert agent.event("sessions")["sessions"] == []
        with at("sofa", farm, broker, account) as client:
            client.push("Resume")
            assert session_of(client, farm, "sofa") == (host, session)
