DROP INDEX stats.user_daily_stats_day_idx, stats.product_type_daily_stats_day_idx, stats.product_daily_users_day_idx;
DROP TABLE stats.rebuild_days, stats.rebuilds;
DROP SCHEMA shadow CASCADE;
