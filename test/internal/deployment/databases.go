package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// Databases are a durable Postgres and a Redis, with a connection to each.
type Databases struct {
	Dir         string // of their files
	Postgres    *Postgres
	Redis       *Redis
	DB          *pgxpool.Pool
	RedisClient *platformredis.Client
}

// StartDatabases starts both in a directory, which it makes. Stop must be called even after an error.
func StartDatabases(ctx context.Context, dir string) (d Databases, err error) {
	d = Databases{Dir: dir, Postgres: &Postgres{dir: dir}, Redis: &Redis{dir: dir}}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the servers run as an unprivileged user, who has to enter it
		return d, fmt.Errorf("make a directory: %w", err)
	}
	if err := errors.Join(d.Postgres.Start(ctx), d.Redis.Start(ctx)); err != nil {
		return d, err
	}
	if d.DB, err = pgxpool.New(ctx, d.Postgres.URL()); err != nil {
		return d, fmt.Errorf("connect to Postgres: %w", err)
	}
	options, err := redis.ParseURL(d.Redis.URL())
	if err != nil {
		return d, fmt.Errorf("connect to Redis: %w", err)
	}
	d.RedisClient = platformredis.NewClient(redis.NewClient(options), platformredis.Config{}, postgres.Identity(d.DB))
	return d, nil
}

// Stop closes the connections and shuts both down.
func (d Databases) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var problems []error
	if d.DB != nil {
		d.DB.Close()
	}
	if d.RedisClient != nil {
		problems = append(problems, d.RedisClient.Close())
	}
	return errors.Join(append(problems, d.Redis.Stop(ctx), d.Postgres.Stop(ctx))...)
}
