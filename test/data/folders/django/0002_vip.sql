BEGIN;
--
-- Add field vip to customer
--
ALTER TABLE "shop_customer" ADD COLUMN "vip" boolean DEFAULT false NOT NULL;
ALTER TABLE "shop_customer" ALTER COLUMN "vip" DROP DEFAULT;
--
-- Create index customer_name on field(s) name of model customer
--
CREATE INDEX "customer_name" ON "shop_customer" ("name");
--
-- Raw Python operation
--
-- THIS OPERATION CANNOT BE WRITTEN AS SQL
COMMIT;
