DROP INDEX customers_vip;
