CREATE TABLE `orders` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `state` enum('new','paid') NOT NULL DEFAULT 'new' COMMENT 'of the order',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
