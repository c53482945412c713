package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/klauspost/compress/zstd"
)

var types = []string{"view", "view", "view", "view", "view", "view", "click", "click", "click", "add_to_cart"}

// event returns the k-th event: as a browser sends it, with a small document of properties. The server makes its id.
func (p *platform) event(k int) string {
	product := p.products[k*7919%products]
	return fmt.Sprintf(`{"product_id":"%s","type":"%s","user_id":"user-%d","properties":{"page":"/p/%d","ref":"search","device":"mobile","session":"s%06d"}}`,
		product, types[k%len(types)], k*31%1000, k*7919%products, k*104729%1_000_000)
}

func (p *platform) purchase(k int) string {
	return fmt.Sprintf(`{"product_id":"%s","quantity":%d,"user_id":"user-%d"}`, p.products[k*7919%products], k%3+1, k*31%1000)
}

// bulk returns bodies of size events each.
func (p *platform) bulk(bodies, size int, before, between, after string) []string {
	all := make([]string, bodies)
	for i := range all {
		events := make([]string, size)
		for k := range events {
			events[k] = p.event(i*size + k)
		}
		all[i] = before + strings.Join(events, between) + after
	}
	return all
}

// singles returns bodies of one item each, enough of them to be different for a while.
func singles(one func(k int) string) []string {
	all := make([]string, 4000)
	for k := range all {
		all[k] = one(k)
	}
	return all
}

// requests turns bodies into whole requests.
func (p *platform) requests(path string, bodies []string, headers ...string) [][]byte {
	host, _ := url.Parse(p.services["ingest"].url) // our own
	all := make([][]byte, len(bodies))
	for i, body := range bodies {
		all[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n%s\r\n%s",
			path, host.Host, p.key, len(body), strings.Join(append(headers, ""), "\r\n"), body)
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
