-- atlas:nolint drop-column
ALTER TABLE "customers" DROP COLUMN "fax";
CREATE INDEX CONCURRENTLY "customers_vip" ON "customers" ("vip");
