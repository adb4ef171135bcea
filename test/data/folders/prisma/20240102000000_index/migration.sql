-- CreateIndex
CREATE INDEX CONCURRENTLY "Customer_name_idx" ON "Customer"("name");
