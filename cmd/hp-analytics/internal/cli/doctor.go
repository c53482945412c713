package cli

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/doctor"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/embedded"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// The outcomes of doctor that are not good. errProblems has an exit code of its own.
var (
	errWarnings = errors.New("there are warnings")
	errProblems = errors.New("there are problems")
)

func doctorCommand(env environment) *cobra.Command {
	var url string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at a deployment, say what is wrong and what to do; exit 1 for warnings, 2 for problems",
		Long: `Look at a deployment, say what is wrong and what to do. It changes nothing.

It looks at the versions and settings of Postgres and Redis, the schema, roles and privileges, clocks, the disk, partitions and
retention, sessions, the queue, the backlog, and the last reconcile. Exit status: 0 all is well, 1 warnings, 2 problems.

It uses DATABASE_URL and REDIS_URL, or else the private servers of DATA_DIR (default .data). Give it the settings of the services,
such as RETENTION_DAYS, DATABASE_MAX_CONNS and REDIS_NAMESPACE. Without REDIS_URL beside DATABASE_URL, Redis and the queue are
left out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withSite(cmd.Context(), func(s *doctor.Site) error {
				s.URL = url
				return env.examine(cmd.Context(), s, asJSON)
			})
		},
	}
	cmd.Flags().Var(baseURL{&url}, "url", "base URL of the platform, whose /ready is asked too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (e environment) examine(ctx context.Context, s *doctor.Site, asJSON bool) error {
	findings := doctor.Examine(ctx, s)
	write := doctor.Write
	if asJSON {
		write = doctor.WriteJSON
	}
	if err := write(e.stdout, findings); err != nil {
		return err
	}
	switch doctor.Worst(findings) {
	case doctor.Problem:
		return errProblems
	case doctor.Warning:
		return errWarnings
	default:
		return nil
	}
}

// withSite runs fn with connections to the deployment that doctor and queue look at.
func (e environment) withSite(ctx context.Context, fn func(*doctor.Site) error) error {
	return e.attach(ctx, true, func(a embedded.Attached) error {
		var cfg struct {
			RetentionConfig
			DataConfig
			DatabaseURL config.URL `env:"DATABASE_URL"`
		}
		if err := e.load(ctx, &cfg); err != nil {
			return err
		}
		pools, err := e.poolSizes(ctx, a.DatabaseURL)
		if err != nil {
			return err
		}
		s := &doctor.Site{Pools: pools, RetentionDays: cfg.RetentionDays, Now: time.Now}
		if cfg.DatabaseURL == "" {
			s.DataDir = filepath.Join(cfg.DataDir, "postgres")
		}
		if err := e.connectPostgres(ctx, a.DatabaseURL, s); err != nil {
			return err
		}
		defer s.Login.Close()
		defer s.Data.Close()
		if a.RedisURL == "" {
			return fn(s)
		}
		if err := e.connectRedis(ctx, a.RedisURL, s); err != nil {
			return err
		}
		defer s.Redis.Close() //nolint:errcheck // nothing is pending on it
		return fn(s)
	})
}

// poolSizes returns how many connections a process of each service may open.
func (e environment) poolSizes(ctx context.Context, url string) (map[string]int32, error) {
	names, err := host.Parse(host.All)
	if err != nil {
		return nil, err
	}
	sizes := map[string]int32{}
	for _, name := range names {
		var cfg postgres.Config
		environ := append(slices.Clip(e.environ), "DATABASE_URL="+url)
		if err := config.Load(ctx, &cfg, config.Environ(environ, strings.ToUpper(name)+"_")); err != nil {
			return nil, usageError{err}
		}
		sizes[name] = cfg.MaxConns
	}
	return sizes, nil
}

// connectPostgres makes the pools of a site. That no connection can be opened is a finding.
func (e environment) connectPostgres(ctx context.Context, url string, s *doctor.Site) error {
	database, err := e.databaseConfig(ctx, url)
	if err != nil {
		return err
	}
	database.ReadsOnly = true // a standby is a finding, too
	const application = "hp-analytics doctor"
	if s.Login, err = postgres.Open(ctx, database, "", application, noop.NewTracerProvider()); err != nil {
		return err
	}
	if s.Data, err = postgres.Open(ctx, database, "hp_aggregator", application, noop.NewTracerProvider()); err != nil {
		s.Login.Close()
	}
	return err
}

// connectRedis makes the clients of a site.
func (e environment) connectRedis(ctx context.Context, url string, s *doctor.Site) error {
	var cfg redis.Config
	if err := (environment{environ: append(slices.Clip(e.environ), "REDIS_URL="+url)}).load(ctx, &cfg); err != nil {
		return err
	}
	client, err := redis.Open(cfg, "doctor")
	if err != nil {
		return err
	}
	s.Redis = redis.NewClient(client, cfg, postgres.Identity(s.Data))
	s.Queue = asynq.NewInspectorFromRedisClient(s.Redis)
	return nil
}
