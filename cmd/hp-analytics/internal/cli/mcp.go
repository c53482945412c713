package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/internal/openapi/mcpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// MCPConfig is the credential of an assistant.
type MCPConfig struct {
	// Key is an API key of the project, with the scope read. A key with more scopes works as well, but the tools only read.
	Key config.Secret `env:"API_KEY, required"`
}

// toolPatience is how long an assistant waits for one answer.
const toolPatience = 30 * time.Second

func mcpCommand(env environment) *cobra.Command {
	url := "http://localhost:8080"
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Offer the reports of a running platform to an assistant (Model Context Protocol)",
		Long: `Offer the reports of a project of a running platform to an assistant, as tools of the Model Context Protocol on standard input and
output. The tools are the reports and the catalog of the HTTP API; they only read. An assistant starts the command itself
(docs/mcp.md has its configuration).

API_KEY is an API key of the project with the scope read: hp-analytics keys create --scopes read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.serveMCP(cmd.Context(), url) },
	}
	cmd.Flags().Var(baseURL{&url}, "url", "base URL of the platform")
	return cmd
}

func (e environment) serveMCP(ctx context.Context, url string) error {
	var cfg MCPConfig
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	client := &http.Client{Timeout: toolPatience}
	defer client.CloseIdleConnections()
	server, err := mcpserver.New(mcpserver.Platform{URL: strings.TrimSuffix(url, "/"), Key: string(cfg.Key), Client: client}, service.Version())
	if err != nil {
		return err
	}
	if err := server.Run(ctx, &mcp.StdioTransport{}); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve the assistant: %w", err)
	}
	return nil
}
