CREATE TABLE customers (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL) ENGINE=InnoDB;
CREATE TABLE orders (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id bigint, qty int, code varchar(10), note text,
    amount decimal(12,2), placed datetime, state enum('new','paid'), long_code varchar(300), KEY placed (placed)) ENGINE=InnoDB;
