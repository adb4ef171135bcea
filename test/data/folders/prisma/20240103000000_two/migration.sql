-- AlterTable
ALTER TABLE "Customer" ADD COLUMN     "vip" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
CREATE INDEX CONCURRENTLY "Customer_vip_idx" ON "Customer"("vip");
