package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

func keysCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List, create and revoke API keys without the API",
		Long:  "List, create and revoke API keys without the API.\n\n" + whichDatabase,
	}
	var project string
	list := &cobra.Command{
		Use:   "list",
		Short: "List all API keys: who made them, when they were used, when they expire",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error { return refused(env.listKeys(cmd.Context(), pool, project)) })
		},
	}
	list.Flags().StringVar(&project, "project", "", "the slug of the project (default: all projects)")
	revoke := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke an API key and all keys that were made with it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return usageError{fmt.Errorf("%q is not the id of an API key (a UUID)", args[0])}
			}
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				n, err := accounts.RevokeKey(cmd.Context(), pool, id)
				if err == nil && n == 0 {
					return env.done(nil, "The API key was revoked before, and all keys that were made with it.\n")
				}
				return env.done(refused(err), "%s revoked\n", quantity.Of(n, "API key"))
			})
		},
	}
	cmd.AddCommand(list, createKeyCommand(env), revoke)
	nameDatabase(cmd.Commands())
	return cmd
}

func createKeyCommand(env environment) *cobra.Command {
	var request accounts.KeyRequest
	var email, project string
	var creates bool
	var scopes []string
	var life duration
	var public accounts.PublicKey
	var keepBots bool
	var hook accounts.Hook
	var secretFile string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an API key for an admin or an owner; print it on stdout, and its id on stderr",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, scope := range scopes {
				switch s := authn.Scope(scope); s {
				case authn.ScopeIngest, authn.ScopeRead, authn.ScopeAdmin:
					request.Scopes = append(request.Scopes, s)
				default:
					return usageError{fmt.Errorf("--scopes: must be of ingest, read and admin, not %q", scope)}
				}
			}
			if cmd.Flags().Changed("expires-in") {
				request.ExpiresAt = new(time.Now().Add(time.Duration(life)))
			}
			if creates {
				request.UnknownProducts = accounts.CreateUnknown
			}
			if len(public.Origins) > 0 {
				public.DropBots = !keepBots
				request.Public = &public
			} else if public.DefaultSKU != "" || public.EventsPerMinute != 0 || keepBots {
				return usageError{errors.New("--default-sku, --events-per-minute and --keep-bots are for public keys, which --origins makes")}
			}
			if err := readHook(&hook, secretFile); err != nil {
				return err
			}
			if hook.Service != "" && request.Public != nil {
				return usageError{errors.New("--origins makes a public key, and --webhooks-of a key of webhooks: give one of them")}
			}
			if hook.Service != "" {
				request.Hook = &hook
			}
			return env.withAccounts(cmd.Context(), func(pool *pgxpool.Pool) error {
				id, key, err := accounts.CreateKey(cmd.Context(), pool, project, email, request)
				if err != nil {
					return refused(err)
				}
				_, _ = fmt.Fprintf(env.stderr, "The API key has the id %s.\n", id)
				_, err = fmt.Fprintln(env.stdout, key)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&email, "account", "", "the e-mail address of the admin or owner that the key acts for (required)")
	flags.StringVar(&project, "project", accounts.DefaultProject, "the slug of the project that the key acts in")
	flags.BoolVar(&creates, "create-products", false, "create a placeholder product for an unknown SKU instead of refusing the item")
	flags.StringVar(&request.Name, "name", "", "what the key is for (required)")
	flags.StringSliceVar(&scopes, "scopes", nil, "what the key may do: ingest, read, admin, separated by commas (required)")
	flags.StringSliceVar(&public.Origins, "origins", nil, "make a public key, which may stand in pages of these origins, such as https://shop.example, separated by commas; * is any")
	flags.StringVar(&public.DefaultSKU, "default-sku", "", "of a public key: the product of events that name none")
	flags.IntVar(&public.EventsPerMinute, "events-per-minute", 0, "of a public key: how many events may be sent with it (default: INGEST_PUBLIC_KEY_RATE_LIMIT)")
	flags.BoolVar(&keepBots, "keep-bots", false, "of a public key: store what crawlers and automated browsers send")
	flags.StringVar(&hook.Service, "webhooks-of", "", "make the key of an address of webhooks, of shopify or stripe, which creates placeholder products")
	flags.StringVar(&secretFile, "signing-secret-file", "", "of the key of webhooks: the file with the secret with which the service signs, such as /dev/stdin (default: set it later by the API)")
	flags.Var(&life, "expires-in", "when the key stops working, such as 90d or 36h (default: never)")
	flags.BoolVar(&request.Delegate, "delegate", false, "let a key with the scope admin make keys with the scope admin")
	for _, name := range []string{"account", "name", "scopes"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

func (e environment) listKeys(ctx context.Context, pool *pgxpool.Pool, project string) error {
	keys, err := accounts.Keys(ctx, pool, project)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tPROJECT\tNAME\tPREFIX\tSCOPES\tMADE BY\tACCOUNT\tLAST USED\tEXPIRES\tREVOKED")
	for _, k := range keys {
		var scopes []string
		for _, scope := range k.Scopes {
			scopes = append(scopes, string(scope))
		}
		if k.UnknownProducts == accounts.CreateUnknown {
			scopes = append(scopes, "create-products")
		}
		if k.Public != nil {
			scopes = append(scopes, "public")
		}
		if k.Hook != nil {
			scopes = append(scopes, "webhooks of "+k.Hook.Service)
		}
		if k.Delegate {
			scopes = append(scopes, "delegate")
		}
		if k.Stopped != "" {
			k.Account += " (" + k.Stopped + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Project, k.Name, k.Prefix, strings.Join(scopes, ","),
			k.CreatedBy, k.Account, orNever(k.LastUsedAt), orNever(k.ExpiresAt), orNever(k.RevokedAt))
	}
	return table.Flush()
}

// orNever formats an optional time.
func orNever(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
