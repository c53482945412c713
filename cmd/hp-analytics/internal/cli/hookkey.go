package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/accounts"
)

// readHook checks the service of the key of webhooks, and reads the secret with which it signs from a file, if one is named: an argument
// would be in the list of processes.
func readHook(hook *accounts.Hook, file string) error {
	switch {
	case hook.Service == "" && file != "":
		return usageError{errors.New("--signing-secret-file is for keys of webhooks, which --webhooks-of makes")}
	case hook.Service != "" && hook.Service != authn.Shopify && hook.Service != authn.Stripe:
		return usageError{fmt.Errorf("--webhooks-of: must be shopify or stripe, not %q", hook.Service)}
	case file == "":
		return nil
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		return usageError{fmt.Errorf("--signing-secret-file: %w", err)}
	}
	if hook.Secret = strings.TrimSpace(string(secret)); hook.Secret == "" {
		return usageError{fmt.Errorf("--signing-secret-file: %s is empty", file)}
	}
	return nil
}
