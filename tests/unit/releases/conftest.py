from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
