-- CreateTable
CREATE TABLE "Order" (
    "id" SERIAL NOT NULL,
    "amount" DECIMAL(65,30) NOT NULL,
    CONSTRAINT "Order_pkey" PRIMARY KEY ("id")
);
