DROP VIEW stats.type_daily;
DROP TABLE stats.type_daily_stats;
