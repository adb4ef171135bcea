-- atlas:txmode none

CREATE INDEX CONCURRENTLY "customers_name" ON "customers" ("name");
