package deployment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localruntime/localproc"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

const (
	adminEmail    = "torture@example.com"
	adminPassword = "correct horse battery"
	products      = 40
	readyTimeout  = time.Minute
)

// Command runs bin/hp-analytics and returns what it prints.
func (d *Deployment) Command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "hp-analytics"), args...)
	cmd.Env = d.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("hp-analytics %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// AwaitReady waits until a service says that it is ready.
func (d *Deployment) AwaitReady(ctx context.Context, s *Service) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var last error
	for {
		if last = Call(ctx, http.MethodGet, s.url+"/ready", "", "", nil); last == nil {
			return nil
		}
		if err := localproc.Pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%s is not ready: %w; last: %w", s.name, err, last)
		}
	}
}

// Fill makes an API key that may send and read, and the products.
func (d *Deployment) Fill(ctx context.Context) (key string, catalog []traffic.Product, err error) {
	service, err := d.launch(ctx, "catalog", false)
	if err != nil {
		return "", nil, err
	}
	auth := d.services[0].url
	var login struct {
		AccessToken string `json:"access_token"`
	}
	credentials := `{"email":"` + adminEmail + `","password":"` + adminPassword + `"}`
	if err := Call(ctx, http.MethodPost, auth+"/auth/login", "", credentials, &login); err != nil {
		return "", nil, err
	}
	var made struct {
		Key string `json:"key"`
	}
	wanted := `{"name":"torture","scopes":["ingest","read"]}`
	if err := Call(ctx, http.MethodPost, auth+"/auth/api-keys", login.AccessToken, wanted, &made); err != nil {
		return "", nil, err
	}
	var list []string
	for i := range products {
		list = append(list, fmt.Sprintf(`{"sku":"TORTURE-%02d","name":"Product %d","price_minor":%d,"currency":"EUR"}`, i, i, 100+7*i))
	}
	body := `{"products":[` + strings.Join(list, ",") + `]}`
	if err := Call(ctx, http.MethodPost, service.url+"/products/bulk", login.AccessToken, body, nil); err != nil {
		return "", nil, err
	}
	catalog, err = d.products(ctx)
	return made.Key, catalog, err
}

// products returns the catalog in an order that is the same in every run.
func (d *Deployment) products(ctx context.Context) ([]traffic.Product, error) {
	rows, err := d.DB.Query(ctx, `SELECT id, sku, price_minor, currency FROM catalog.products ORDER BY sku`)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p traffic.Product, err error) {
		var id [16]byte
		err = row.Scan(&id, &p.SKU, &p.PriceMinor, &p.Currency)
		p.ID = uuid.UUID(id)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	return all, nil
}

// StatusError is an answer of 400 and more.
type StatusError struct {
	Status int
	Body   string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("answer %d: %s", e.Status, e.Body) }

// Call sends a request with a token, if it is not empty, and decodes the answer into a value, if it is not nil.
func Call(ctx context.Context, method, url, token, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("ask %s: %w", url, &StatusError{response.StatusCode, string(answer)})
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s answers %q: %w", url, answer, err)
	}
	return nil
}
