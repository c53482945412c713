package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	jsonType   = "Content-Type: application/json"
	ndjsonType = "Content-Type: application/x-ndjson"
)

// distinct is the number of different single requests. The load sends them in turn.
const distinct = 4000

// bodies makes request bodies in the form that one system takes.
type bodies struct {
	event, purchase func(k int) string
}

// productOf and userOf spread events over products and users.
func productOf(k int) int { return k * 7919 % products }
func userOf(k int) int    { return k * 31 % users }

func typeOf(k int) string {
	return []string{"view", "view", "view", "view", "view", "view", "click", "click", "click", "add_to_cart"}[k%10]
}

// properties is a small document like the ones that browsers send.
func properties(k int) string {
	return fmt.Sprintf(`{"page":"/p/%d","ref":"search","device":"mobile","session":"s%06d"}`, productOf(k), k*104729%1_000_000)
}

// bodies returns bodies for the platform. They have no ids, so the server makes them.
func (p *platform) bodies() bodies {
	return bodies{
		event: func(k int) string {
			return fmt.Sprintf(`{"product_id":"%s","type":"%s","user_id":"user-%d","properties":%s}`,
				p.products[productOf(k)], typeOf(k), userOf(k), properties(k))
		},
		purchase: func(k int) string {
			return fmt.Sprintf(`{"product_id":"%s","quantity":%d,"user_id":"user-%d"}`, p.products[productOf(k)], k%3+1, userOf(k))
		},
	}
}

// naiveBodies returns the same events for the reference services, which take the user from the token.
func naiveBodies() bodies {
	return bodies{
		event: func(k int) string {
			return fmt.Sprintf(`{"product_id":%d,"event_type":"%s","properties":%s}`, productOf(k)+1, typeOf(k), properties(k))
		},
		purchase: func(k int) string {
			return fmt.Sprintf(`{"product_id":%d,"quantity":%d}`, productOf(k)+1, k%3+1)
		},
	}
}

// singles returns bodies of one item each.
func singles(one func(k int) string) []string {
	all := make([]string, distinct)
	for k := range all {
		all[k] = one(k)
	}
	return all
}

// bulk returns bodies of size events each, as JSON.
func (b bodies) bulk(size int) []string { return b.joined(size, `{"events":[`, ",", "]}") }

func (b bodies) joined(size int, before, between, after string) []string {
	all := make([]string, max(20, distinct/size))
	for i := range all {
		events := make([]string, size)
		for k := range events {
			events[k] = b.event(i*size + k)
		}
		all[i] = before + strings.Join(events, between) + after
	}
	return all
}

// requests returns complete HTTP/1.1 requests, one for each body, with the tokens in turn.
func requests(base, path string, tokens, bodies []string, headers ...string) [][]byte {
	host, _ := url.Parse(base) // of a service that this program started
	all := make([][]byte, len(bodies))
	for i, body := range bodies {
		all[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n%s\r\n%s",
			path, host.Host, tokens[i*31%len(tokens)], len(body), strings.Join(append(headers, ""), "\r\n"), body)
	}
	return all
}

func compress(bodies []string) ([]string, error) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	all := make([]string, len(bodies))
	for i, body := range bodies {
		all[i] = string(encoder.EncodeAll([]byte(body), nil))
	}
	return all, nil
}
