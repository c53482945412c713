package digest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

// Webhook sends digests and alerts to addresses that users choose. It reaches public addresses only, and Allowed.
type Webhook struct {
	// Allowed are networks that are reached although they are not public. Everybody who may set up a digest or an alert can make the platform send
	// requests there.
	Allowed []netip.Prefix
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 10

// hook is the body of a request.
type hook struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"` // digest or digest.test
	Digest   hookName   `json:"digest"`
	Project  hookName   `json:"project"`
	TimeZone string     `json:"time_zone"`
	Period   hookPeriod `json:"period"`
	Previous hookPeriod `json:"previous"`
	Complete bool       `json:"complete"`
	Pending  int64      `json:"pending_events"`
	Failed   int64      `json:"failed_events"`
	DueAt    time.Time  `json:"due_at"`
	Late     bool       `json:"late"`
}

type hookName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type hookPeriod struct {
	From   string           `json:"from"`
	To     string           `json:"to"`
	Users  int64            `json:"unique_users"`
	Exact  bool             `json:"unique_users_exact"`
	Counts map[string]int64 `json:"counts"`
	Money  []hookMoney      `json:"revenue"`
}

type hookMoney struct {
	Currency string `json:"currency"`
	Gross    int64  `json:"gross_minor"`
	Refunded int64  `json:"refunded_minor"`
	Net      int64  `json:"net_minor"`
}

func periodOf(p period.Period, f Figures) hookPeriod {
	answer := hookPeriod{From: p.First.String(), To: p.Last.String(), Users: f.Users, Exact: f.Exact, Counts: map[string]int64{}, Money: []hookMoney{}}
	for i, column := range stats.Columns() {
		answer.Counts[column] = f.Counts[i]
	}
	for _, a := range f.Money {
		answer.Money = append(answer.Money, hookMoney{Currency: a.Currency, Gross: a.GrossMinor, Refunded: a.RefundedMinor, Net: a.NetMinor()})
	}
	return answer
}

// hookOf returns the body of a digest.
func hookOf(d *delivery, r Report, late bool) hook {
	kind := "digest"
	if d.test {
		kind = "digest.test"
	}
	return hook{
		ID: d.id.String(), Type: kind, Digest: hookName{d.digest.String(), d.name}, Project: hookName{d.slug, d.title}, TimeZone: r.Zone,
		Period: periodOf(r.Period, r.Now), Previous: periodOf(r.Previous, r.Before), Complete: r.Complete, Pending: r.Pending, Failed: r.Failed, DueAt: d.due.UTC(), Late: late,
	}
}

// secretPrefix begins the secrets of webhooks (Standard Webhooks).
const secretPrefix = "whsec_"

// sign returns the signature of a request by the rules of Standard Webhooks: its id, its time and its body are covered.
func sign(secret, id string, at int64, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return "", fmt.Errorf("the secret of a webhook: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(fmt.Appendf(nil, "%s.%d.", id, at))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// send posts content. All attempts have the same Webhook-Id, by which a receiver recognises one that it has already.
func (w Webhook) send(ctx context.Context, d *delivery, content any, now time.Time) error {
	body, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode what is sent: %w", err)
	}
	signature, err := sign(d.secret, d.id.String(), now.Unix(), body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return &failure{text: "The address of the webhook is not valid.", final: true, cause: withoutURL(err)}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "hp-analytics")
	request.Header.Set("Webhook-Id", d.id.String())
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("Webhook-Signature", signature)
	client := w.client(request.URL)
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		if f, ok := errors.AsType[*failure](err); ok {
			return f
		}
		return &failure{text: "The receiver cannot be reached, or did not answer in time.", cause: fmt.Errorf("%s: %w", request.URL.Host, withoutURL(err))}
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // only the status matters
	switch {
	case answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode < http.StatusBadRequest:
		return &failure{text: fmt.Sprintf("The receiver answered %d. Redirects are not followed: enter the address that they lead to.", answer.StatusCode), final: true}
	case answer.StatusCode == http.StatusGone:
		return &failure{text: "The receiver answered 410: it wants no more of this.", final: true}
	case answer.StatusCode >= http.StatusMultipleChoices:
		return &failure{text: fmt.Sprintf("The receiver answered %d.", answer.StatusCode)}
	}
	return nil
}

// withoutURL returns an error without the address that package net/http adds: its path and query may be credentials, and causes are logged.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// client checks each address after the name was resolved, at the moment of the connection, so that a name cannot change its meaning in
// between. It uses no proxy, which would connect in its place.
func (w Webhook) client(to *url.URL) *http.Client {
	dialer := &net.Dialer{Timeout: sendTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return &failure{text: "The address of the webhook is not valid.", final: true, cause: err}
		}
		ip := at.Addr().Unmap().WithZone("")
		switch allowed := w.allows(ip); {
		case !allowed && !isPublic(ip):
			return &failure{text: "The address of the webhook is in a network that is not public. The operator can allow it (WEBHOOK_ALLOW_NETWORKS).", final: true}
		case !allowed && to.Scheme != "https":
			return &failure{text: "The address of the webhook must begin with https://, because its network is public.", final: true}
		}
		return nil
	}}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: sendTimeout, ResponseHeaderTimeout: sendTimeout, MaxResponseHeaderBytes: maxAnswer, DisableKeepAlives: true,
			ForceAttemptHTTP2: true,
		},
	}
}

func (w Webhook) allows(ip netip.Addr) bool {
	for _, network := range w.Allowed {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// special are networks beside those that package netip knows which lead to no public host, or through a translation to any host
// (IANA's registries of special-purpose addresses).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func isPublic(ip netip.Addr) bool {
	for _, network := range special {
		if network.Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
}
