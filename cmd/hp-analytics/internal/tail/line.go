package tail

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/hp-analytics/hp-analytics/internal/money"
)

// shown has the members of all items that a line for people shows.
type shown struct {
	TS          string `json:"ts"`
	At          string `json:"at"`
	Type        string `json:"type"`
	UserID      string `json:"user_id"`
	AnonymousID string `json:"anonymous_id"`
	SKU         string `json:"sku"`
	Number      string `json:"number"`
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
	Lines       []struct {
		SKU      string `json:"sku"`
		Quantity int64  `json:"quantity"`
	} `json:"lines"`
	Count   *int64          `json:"count"`
	Kind    string          `json:"kind"`
	Code    string          `json:"code"`
	Pointer string          `json:"pointer"`
	Detail  string          `json:"detail"`
	Item    json.RawMessage `json:"item"`
}

// line returns what is written for an item.
func (f *follower) line(kind string, data json.RawMessage) (string, error) {
	if f.JSON {
		encoded, err := json.Marshal(struct {
			Kind string          `json:"kind"`
			Item json.RawMessage `json:"item"`
		}{kind, data})
		if err != nil {
			return "", fmt.Errorf("encode a line: %w", err)
		}
		return string(encoded), nil
	}
	var s shown
	if err := json.Unmarshal(data, &s); err != nil {
		return "", fmt.Errorf("read an item: %w", err)
	}
	switch kind {
	case "refused":
		return words(s.At, "refused", s.Kind, s.Code, s.Pointer, s.Detail, string(s.Item)), nil
	case "omitted", "gap":
		count := "some"
		if s.Count != nil {
			count = strconv.FormatInt(*s.Count, 10)
		}
		return "# " + count + " are left out (" + kind + ")", nil
	case "order", "refund":
		parts := []string{s.TS, kind, s.Number, amount(s.AmountMinor, s.Currency), named("user", s.UserID), named("visitor", s.AnonymousID)}
		for _, l := range s.Lines {
			parts = append(parts, strconv.FormatInt(l.Quantity, 10)+"x", l.SKU)
		}
		return words(parts...), nil
	default:
		return words(s.TS, s.Type, named("user", s.UserID), named("visitor", s.AnonymousID), named("sku", s.SKU)), nil
	}
}

// amount writes an amount in minor units with the decimals of its currency.
func amount(minor int64, currency string) string {
	known, err := money.Parse(currency)
	if err != nil {
		return fmt.Sprintf("%d %s (minor units)", minor, currency)
	}
	digits := known.Digits()
	text := fmt.Sprintf("%0*d", digits+1, minor)
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return text + " " + currency
}

func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + "=" + value
}

// words joins the parts that are not empty. Texts come from anybody, so what a terminal would act on is quoted.
func words(parts ...string) string {
	var line []string
	for _, part := range parts {
		switch {
		case part == "":
		case strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsPrint(r) }):
			line = append(line, strconv.Quote(part))
		default:
			line = append(line, part)
		}
	}
	return strings.Join(line, " ")
}
