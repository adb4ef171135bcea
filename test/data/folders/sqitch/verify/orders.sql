-- Verify shop:orders on pg

SELECT id FROM orders WHERE false;
