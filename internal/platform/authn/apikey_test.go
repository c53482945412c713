package authn_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn/authntest"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestKeysOfTheWrongShapeCostNoQuery sends what NewKey cannot have made.
func TestKeysOfTheWrongShapeCostNoQuery(t *testing.T) {
	t.Parallel()
	keys := &fakeKeys{find: unknownKey}
	v := newReadyVerifier(t, authntest.New(t), keys)
	good := authn.NewKey()
	flipped := []byte(good)
	flipped[10] ^= 1
	for name, key := range map[string]string{
		"only the prefix":    "hpa_",
		"too short":          good[:len(good)-1],
		"too long":           good + "0",
		"16 KB":              "hpa_" + strings.Repeat("x", 16<<10),
		"no checksum":        good[:len(good)-6] + "000000",
		"one character else": string(flipped),
	} {
		if _, err := v.Authenticate(t.Context(), "Bearer "+key); errs.CodeOf(err) != "invalid_api_key" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := keys.calls.Load(); n != 0 {
		t.Errorf("%d look-ups", n)
	}
}

// TestGuessesAreLimitedByAddress sends invented keys from one address: the look-ups stop, for that address only, and a key
// that has worked there goes on to work.
func TestGuessesAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	good := authn.NewKey()
	keys := &fakeKeys{find: func(key string) (authn.Key, error) {
		if key != good {
			return unknownKey(key)
		}
		return authn.Key{Principal: authn.Principal{KeyID: "k1"}}, nil
	}}
	v := newReadyVerifier(t, authntest.New(t), keys)
	var err error
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Logger: platformtest.Logger(t), Registerer: prometheus.NewRegistry(), TracerProvider: noop.NewTracerProvider(),
		Health: httpserver.NewHealth(platformtest.Logger(t)), Config: httpserver.Config{RequestTimeout: time.Minute},
	})
	router.Get("/things", func(_ http.ResponseWriter, r *http.Request) {
		_, err = v.Authenticate(r.Context(), r.Header.Get("Authorization"))
	})
	from := func(address, key string) error {
		r := httptest.NewRequest(http.MethodGet, "/things", nil)
		r.RemoteAddr = address + ":1"
		r.Header.Set("Authorization", "Bearer "+key)
		router.ServeHTTP(httptest.NewRecorder(), r)
		return err
	}
	if err := from("10.0.0.1", good); err != nil {
		t.Fatal(err)
	}
	const guesses = 500
	refused := 0
	for range guesses {
		if errs.Is(from("10.0.0.1", authn.NewKey()), errs.TooMany) {
			refused++
		}
	}
	if n := keys.calls.Load(); refused == 0 || int(n)-1 != guesses-refused {
		t.Errorf("%d look-ups for %d guesses, %d refused", n, guesses, refused)
	}
	if err := from("10.0.0.1", good); err != nil {
		t.Errorf("a key that has worked: %v", err)
	}
	if err := from("10.0.0.2", authn.NewKey()); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("another address: %v", err)
	}
}
