package cli

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/tail"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// TailConfig is the credential of tail.
type TailConfig struct {
	// Key is an API key of the project, with the scope read.
	Key config.Secret `env:"API_KEY, required"`
}

func tailCommand(env environment) *cobra.Command {
	options := tail.Options{URL: "http://localhost:8080", Client: &http.Client{}, Out: env.stdout, Notes: env.stderr}
	filters := map[string]*string{}
	output := "text"
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the events, orders and refunds of a project as they are stored, and with --refused what is refused",
		Long: `Follow the events, orders and refunds of a project as they are stored, from now on, and with --refused what is refused as well. When the
connection breaks, it comes back and shows what came meanwhile, for up to 15 minutes. Refusals are shown about two seconds late; the
filters do not apply to them.

API_KEY is an API key of the project with the scope read: hp-analytics keys create --scopes read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usageError{fmt.Errorf("--output: must be text or json, not %q", output)}
			}
			var cfg TailConfig
			if err := env.load(cmd.Context(), &cfg); err != nil {
				return err
			}
			options.Key, options.JSON, options.Query = string(cfg.Key), output == "json", url.Values{}
			for name, value := range filters {
				if *value != "" {
					options.Query.Set(name, *value)
				}
			}
			defer options.Client.CloseIdleConnections()
			return tail.Run(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.Var(baseURL{&options.URL}, "url", "base URL of the platform")
	flags.StringVar(&options.Project, "project", "", "the slug of the project (default: that of the key)")
	flags.BoolVar(&options.Refused, "refused", false, "show what is refused, too")
	flags.StringVarP(&output, "output", "o", output, "text, or json for a line of JSON for each")
	for _, f := range []struct{ flag, name, usage string }{
		{"kind", "kind", "only event, order or refund"}, {"type", "type", "only events with this name"},
		{"user", "user_id", "only those of the user or visitor with this id"}, {"sku", "sku", "only those with the product with this SKU"},
	} {
		filters[f.name] = flags.String(f.flag, "", f.usage)
	}
	return cmd
}
