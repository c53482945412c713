package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/client"
)

var view = client.EventInput{Type: "view", SKU: "S", UserID: "u"}

// inTurn gives one answer after the other, and accepts everything once they are used up.
func inTurn(answers ...http.HandlerFunc) (handler http.HandlerFunc, attempts *int) {
	attempts = new(int)
	return func(w http.ResponseWriter, r *http.Request) {
		*attempts++
		if *attempts <= len(answers) {
			answers[*attempts-1](w, r)
			return
		}
		answer(http.StatusAccepted, accepted)(w, r)
	}, attempts
}

func TestWaitsBetweenAttempts(t *testing.T) {
	t.Parallel()
	badGateway := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }
	cases := map[string]struct {
		answers     []http.HandlerFunc
		least, most time.Duration
	}{
		"rate limit":                {[]http.HandlerFunc{refuse(429, "rate_limited", "40")}, 40 * time.Second, 44 * time.Second},
		"overload, twice":           {[]http.HandlerFunc{refuse(503, "overloaded", "2"), refuse(503, "overloaded", "3")}, 5 * time.Second, 5500 * time.Millisecond},
		"Retry-After is absent":     {[]http.HandlerFunc{refuse(503, "x", "")}, 100 * time.Millisecond, 300 * time.Millisecond},
		"Retry-After is 0":          {[]http.HandlerFunc{refuse(503, "x", "0")}, 100 * time.Millisecond, 300 * time.Millisecond},
		"Retry-After is a date":     {[]http.HandlerFunc{retryAtDate(10 * time.Second)}, 9 * time.Second, 11 * time.Second},
		"a proxy's error pages":     {[]http.HandlerFunc{badGateway, refuse(504, "x", "soon")}, 200 * time.Millisecond, time.Second},
		"the same key is in flight": {[]http.HandlerFunc{refuse(409, "idempotency_key_in_flight", "")}, 100 * time.Millisecond, 300 * time.Millisecond},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler, attempts := inTurn(test.answers...)
				retries := 0
				policy := client.RetryPolicy{OnRetry: func(error, time.Duration) { retries++ }}
				began := time.Now()
				result, err := local(t, handler, client.WithRetryPolicy(policy)).CreateEvent(t.Context(), view, nil)
				if err != nil || result.Status != client.EventStatusAccepted {
					t.Fatalf("%+v, %v", result, err)
				}
				if took := time.Since(began); took < test.least || took > test.most {
					t.Errorf("waited %s, want %s to %s", took, test.least, test.most)
				}
				if want := len(test.answers); *attempts != want+1 || retries != want {
					t.Errorf("%d attempts and %d retries, want %d retries", *attempts, retries, want)
				}
			})
		})
	}
}

func retryAtDate(wait time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		refuse(503, "x", time.Now().Add(wait).UTC().Format(http.TimeFormat))(w, r)
	}
}

func TestPolicyEndsRetries(t *testing.T) {
	t.Parallel()
	away := refuse(503, "database_unavailable", "1")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := local(t, away, client.WithRetryPolicy(client.RetryPolicy{MaxElapsed: 3 * time.Minute})).CreateEvent(t.Context(), view, nil)
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("gave up after %s, want up to 3 minutes", took)
		}
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "database_unavailable" || e.RetryAfter != time.Second {
			t.Errorf("%v", err)
		}
		if err == nil || !strings.Contains(err.Error(), " attempts: 503 Service Unavailable, database_unavailable") {
			t.Errorf("%v", err)
		}
	})
	handler, attempts := inTurn(away, away, away)
	if _, err := local(t, handler, client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})).CreateEvent(t.Context(), view, nil); err == nil || *attempts != 1 {
		t.Errorf("%d attempts, %v", *attempts, err)
	}
}

func TestContextEndsRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := local(t, refuse(503, "overloaded", "")).CreateEvent(ctx, view, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "overloaded" {
			t.Errorf("the error does not say why there were retries: %v", err)
		}
	})
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		handler, attempts := inTurn(hangs)
		c := local(t, nil, client.WithHTTPClient(&http.Client{Transport: hanging{inProcess{handler}}}),
			client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: 7 * time.Second}))
		began := time.Now()
		if _, err := c.CreateEvent(t.Context(), view, nil); err != nil || *attempts != 2 {
			t.Fatalf("%d attempts, %v", *attempts, err)
		}
		if took := time.Since(began); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// hanging reports the end of a request's context as a transport does.
type hanging struct{ inProcess }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.inProcess.RoundTrip(r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return response, err
}

func TestRefusalsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{
		400: "malformed_json", 401: "credentials_required", 403: "forbidden", 409: "conflict", 422: "validation_failed", 500: "internal",
	} {
		handler, attempts := inTurn(refuse(status, code, ""))
		_, err := local(t, handler).CreateEvent(t.Context(), view, nil)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || *attempts != 1 {
			t.Errorf("%d: %d attempts, %v", status, *attempts, err)
			continue
		}
		if e.Status != status || e.Code != code || e.Detail != "A sentence." || e.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" ||
			len(e.Errors) != 1 || e.Errors[0].Pointer != "/type" {
			t.Errorf("%d: %+v", status, e)
		}
		for _, want := range []string{"POST /events: ", code, "A sentence.", "/type required: Must be there.", "trace 4bf9"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %q does not say %q", status, err, want)
			}
		}
	}
}

// TestLostAnswers sends the same bytes again however the answer was lost, so that the platform recognizes what it has stored.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	lost := []http.HandlerFunc{resetConnection, cutOff, cutOffSilently}
	send := map[string]func(c *client.Client) error{
		"event": func(c *client.Client) error {
			_, err := c.CreateEvent(t.Context(), view, nil)
			return err
		},
		"bulk": func(c *client.Client) error {
			events := []client.EventInput{view, view}
			_, err := c.CreateEventsBulk(t.Context(), client.EventBulkRequest{Events: events}, nil)
			if events[0].ID != "" {
				t.Error("the caller's events were changed")
			}
			return err
		},
		"purchases": func(c *client.Client) error {
			purchases := []client.PurchaseRequest{{SKU: "S", Quantity: 1, UserID: "u"}}
			_, err := c.CreatePurchasesBulk(t.Context(), client.PurchaseBulkRequest{Purchases: purchases}, nil)
			if purchases[0].ID != "" {
				t.Error("the caller's purchases were changed")
			}
			return err
		},
		"order": func(c *client.Client) error {
			_, err := c.CreateOrder(t.Context(), client.OrderRequest{ID: "17", Lines: []client.OrderLineRequest{{SKU: "S", Quantity: 1}}}, nil)
			return err
		},
		"refund": func(c *client.Client) error {
			_, err := c.CreateRefund(t.Context(), "17", client.RefundRequest{ID: "17-1"}, nil)
			return err
		},
		"purchase": func(c *client.Client) error {
			_, err := c.CreatePurchase(t.Context(), client.PurchaseRequest{SKU: "S", Quantity: 1, UserID: "u"}, nil)
			return err
		},
	}
	for name, call := range send {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, append(lost, answer(http.StatusAccepted, `{}`))...)
			if err := call(newClient(t, s.URL)); err != nil {
				t.Fatal(err)
			}
			requests := s.received()
			if len(requests) != len(lost)+1 {
				t.Fatalf("%d requests", len(requests))
			}
			for _, r := range requests[1:] {
				if r.body != requests[0].body || r.header.Get("Idempotency-Key") != requests[0].header.Get("Idempotency-Key") {
					t.Errorf("another attempt sends something else:\n%+v\n%+v", r, requests[0])
				}
			}
			if !strings.Contains(requests[0].body, `"id":"`) {
				t.Errorf("no id: %s", requests[0].body)
			}
		})
	}
}

// TestWhatMayHappenTwiceIsNotRepeated: an operation with a second effect is sent again only if it has certainly not been done.
func TestWhatMayHappenTwiceIsNotRepeated(t *testing.T) {
	t.Parallel()
	create := func(c *client.Client, options ...client.CallOption) error {
		_, err := c.CreateAPIKey(t.Context(), client.APIKeyCreateRequest{Name: "n", Scopes: []client.Scope{client.ScopeIngest}}, options...)
		return err
	}
	for name, first := range map[string]http.HandlerFunc{"lost answer": resetConnection, "503": refuse(503, "database_unavailable", "0")} {
		s := newServer(t, first, answer(http.StatusCreated, `{}`))
		if err := create(newClient(t, s.URL)); err == nil || len(s.received()) != 1 {
			t.Errorf("%s: %d requests, %v", name, len(s.received()), err)
		}
	}
	if s := newServer(t, refuse(429, "rate_limited", ""), answer(http.StatusCreated, `{}`)); create(newClient(t, s.URL)) != nil {
		t.Errorf("429: %d requests", len(s.received()))
	}
	if s := newServer(t, resetConnection, answer(http.StatusCreated, `{}`)); create(newClient(t, s.URL), client.Repeatable()) != nil {
		t.Errorf("declared repeatable: %d requests", len(s.received()))
	}

	s := newServer(t, resetConnection, answer(http.StatusOK, `{}`))
	_, err := newClient(t, s.URL).UpdateProduct(t.Context(), uuid.Nil, client.ProductPatch{Name: "x"}, &client.UpdateProductParams{IfMatch: `"1"`})
	if err == nil || len(s.received()) != 1 {
		t.Errorf("conditional change: %d requests, %v", len(s.received()), err)
	}
}

// TestUnreachable repeats every operation: without a connection nothing can have happened.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	retries := 0
	policy := client.RetryPolicy{MaxAttempts: 3, InitialWait: time.Millisecond, OnRetry: func(error, time.Duration) { retries++ }}
	_, err := newClient(t, closed.URL, client.WithRetryPolicy(policy)).Register(t.Context(), client.RegisterRequest{Email: "a@example.com", Password: "x"})
	if err == nil || !strings.Contains(err.Error(), "after 3 attempts: ") || !strings.Contains(err.Error(), "connection refused") || retries != 2 {
		t.Errorf("%d retries, %v", retries, err)
	}
}
