ALTER TABLE `customers` MODIFY COLUMN `name` varchar(300) NOT NULL;
ALTER TABLE `orders` MODIFY COLUMN `state` enum('new','paid','sent') NOT NULL DEFAULT 'new' COMMENT 'of the order';
