package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
)

func demoCommand(env environment) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send a simulated shop's events to a running platform and check its numbers; exit 1 if any differs",
		Long: `Send a simulated shop's events to a running platform, wait until all are counted, and compare every number with what
was sent. Exit 1 if any differs.

It logs in as the admin of ADMIN_EMAIL and ADMIN_PASSWORD, or else as the one that "up" created in DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.demo(cmd.Context(), o) },
	}
	o.URL = "http://localhost:8080"
	cmd.Flags().Var(baseURL{&o.URL}, "url", "base URL of the platform")
	cmd.Flags().Var(serviceURLs{&o.Routes}, "service-url", "service=URL, for an installation without a gateway; may be repeated")
	cmd.Flags().IntVar(&o.Events, "events", 20_000, "how many different events to send; purchases come on top")
	cmd.Flags().IntVar(&o.Days, "days", 7, "how many days to spread them over, today included")
	cmd.Flags().IntVar(&o.Products, "products", 100, "how many products the shop has")
	cmd.Flags().IntVar(&o.Users, "users", 1_000, "how many users visit it")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the shop: another seed simulates another shop")
	cmd.Flags().StringVar(&o.Zone, "zone", "", "time zone, such as Europe/Berlin: the demo makes a project of its own there; the default project without it")
	return cmd
}

func (e environment) demo(ctx context.Context, o demo.Options) error {
	if err := o.Validate(); err != nil {
		return usageError{err}
	}
	var cfg struct {
		AdminConfig
		DataConfig
	}
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	o.Out, o.Email, o.Password = e.stdout, cfg.Email, string(cfg.Password)
	source := "ADMIN_EMAIL and ADMIN_PASSWORD"
	if o.Email == "" {
		admin, found, err := readLogin(cfg.DataDir)
		if err != nil {
			return err
		}
		if !found {
			return usageError{fmt.Errorf("no admin to log in as: set ADMIN_EMAIL and ADMIN_PASSWORD, or DATA_DIR to that of `hp-analytics up` (%s has none)", cfg.DataDir)}
		}
		o.Email, o.Password = admin.Email, admin.Password
		source = loginFile(cfg.DataDir)
	}
	at := o.URL
	if route, ok := o.Routes["auth"]; ok { // where the demo begins
		at = route
	}
	if err := e.awaitPlatform(ctx, at, demoPatience); err != nil {
		return err
	}
	err := demo.Run(ctx, o)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted; run the same command within the hour to continue: what was sent already is not counted twice")
	}
	if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Status == http.StatusUnauthorized {
		return fmt.Errorf("log in as %s with the password of %s: %w; if the password was changed, set ADMIN_EMAIL and ADMIN_PASSWORD to the login as it is now", o.Email, source, err)
	}
	return err
}

// serviceURLs is a flag that may be given once per service. It adds a route for each path segment of the service.
type serviceURLs struct{ routes *map[string]string }

// String implements pflag.Value.
func (serviceURLs) String() string { return "" }

// Type implements pflag.Value.
func (serviceURLs) Type() string { return "service=URL" }

// Set implements pflag.Value.
func (f serviceURLs) Set(value string) error {
	service, url, found := strings.Cut(value, "=")
	segments := host.Segments(service)
	if !found || len(segments) == 0 {
		return fmt.Errorf("must be a service with an API (auth, catalog, ingest, analytics), = and its URL, not %q", value)
	}
	if *f.routes == nil {
		*f.routes = map[string]string{}
	}
	for _, segment := range segments {
		(*f.routes)[segment] = url
	}
	return nil
}
