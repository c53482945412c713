package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

const (
	// answerTimeout is how long a client waits for an answer. It is shorter than the timeouts of the platform, so some
	// requests are repeated while the first attempt is still in progress.
	answerTimeout = 4 * time.Second

	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
)

// deliver sends a request until it is acknowledged or ctx ends.
func (t *Traffic) deliver(ctx context.Context, client *http.Client, r *Request) {
	for backoff := firstBackoff; !t.attempt(ctx, client, r); backoff = min(2*backoff, maxBackoff) {
		t.stats.add("retries")
		if !wait(ctx, backoff) {
			return
		}
	}
}

// wait reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt sends a request once, and reports whether it was acknowledged.
func (t *Traffic) attempt(ctx context.Context, client *http.Client, r *Request) bool {
	attempt := t.ledger.Begin(&r.Request)
	t.stats.add("requests")
	status, header, body, err := t.send(ctx, client, r)
	if err != nil {
		attempt.Lost()
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.stats.add("timeouts")
		} else {
			t.stats.add("lost connections")
		}
		return false
	}
	acknowledged, err := t.settle(attempt, r, status, header, body)
	if err != nil {
		t.ledger.Problem("%s: answer %d %s: %v", r.Path, status, body, err)
	}
	if !acknowledged {
		attempt.Lost()
		return false
	}
	t.stats.add("acknowledged")
	return true
}

func (t *Traffic) send(ctx context.Context, client *http.Client, r *Request) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("make a request: %w", err)
	}
	request.GetBody = nil // otherwise net/http repeats requests with an Idempotency-Key itself, unknown to the ledger
	request.Header.Set("Authorization", "Bearer "+t.key)
	request.Header.Set("Content-Type", r.ContentType)
	if r.Key != "" {
		request.Header.Set("Idempotency-Key", r.Key)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("send: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	return response.StatusCode, response.Header, body, nil
}

// problem is the problem document of a refused request (RFC 9457).
type problem struct {
	Code   string `json:"code"`
	Errors []struct {
		Code string `json:"code"`
	} `json:"errors"`
}

// settle records an answer in the ledger and reports whether it ends the request. An error means that the answer violates
// the contract.
func (t *Traffic) settle(a *ledger.Attempt, r *Request, status int, header http.Header, body []byte) (acknowledged bool, err error) {
	switch {
	case status == http.StatusCreated && r.Purchase != nil:
		var answer ledger.PurchaseAnswer
		if err := json.Unmarshal(body, &answer); err != nil {
			return false, fmt.Errorf("decode: %w", err)
		}
		a.Purchase(answer, header.Get("Idempotency-Replayed") == "true")
		return true, nil
	case status == http.StatusCreated && (r.Order != nil || r.Refund != nil):
		var answer ledger.OrderAnswer
		if err := json.Unmarshal(body, &answer); err != nil {
			return false, fmt.Errorf("decode: %w", err)
		}
		end := a.Order
		if r.Refund != nil {
			end = a.Refund
		}
		end(answer, header.Get("Idempotency-Replayed") == "true")
		return true, nil
	case status == http.StatusAccepted && r.Path == "/events" && len(r.Events) == 1:
		var answer ledger.EventAnswer
		if err := json.Unmarshal(body, &answer); err != nil {
			return false, fmt.Errorf("decode: %w", err)
		}
		if answer.Status == "duplicate" {
			t.stats.add("answers with duplicates")
		}
		a.Event(answer)
		return true, nil
	case status == http.StatusAccepted && r.Path == "/events/bulk":
		var answer ledger.BulkAnswer
		if err := json.Unmarshal(body, &answer); err != nil {
			return false, fmt.Errorf("decode: %w", err)
		}
		if answer.Duplicates > 0 {
			t.stats.add("answers with duplicates")
		}
		a.Bulk(answer)
		return true, nil
	default:
		return t.settleProblem(a, r, status, header, body)
	}
}

func (t *Traffic) settleProblem(a *ledger.Attempt, r *Request, status int, header http.Header, body []byte) (acknowledged bool, err error) {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		return false, fmt.Errorf("decode: %w", err)
	}
	switch {
	case status == http.StatusUnprocessableEntity && r.Path == "/events" && len(r.Bad) == 1 && len(p.Errors) > 0:
		t.stats.add("refused")
		a.Refused(p.Errors[0].Code)
		return true, nil
	case status == http.StatusServiceUnavailable:
		t.stats.add("503 " + p.Code)
		if header.Get("Retry-After") == "" {
			return false, errors.New("no Retry-After")
		}
		return false, nil
	case status == http.StatusConflict && p.Code == "idempotency_key_in_flight":
		t.stats.add("409 " + p.Code)
		return false, nil
	default:
		return false, errors.New("unexpected")
	}
}
