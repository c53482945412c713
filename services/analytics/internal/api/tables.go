package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
)

// table says which list of an answer are its rows in CSV and NDJSON, and what the columns of CSV are. A column that ends in
// "revenue" stands for those of each currency.
type table struct {
	list    string
	columns []string
}

var (
	counts   = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units", "unique_users", "unique_users_exact", "revenue"}
	series   = table{"points", append([]string{"start", "complete", "zone_changed"}, counts...)}
	summary  = table{"days", append([]string{"day", "zone_changed"}, without(counts, "unique_users_exact")...)}
	ofCounts = prefixed("counts.", counts)
)

// tables are the answers as rows, by operation.
var tables = map[string]table{
	"TopProducts":            {"items", append([]string{"rank", "product.id", "product.sku", "product.name", "value"}, ofCounts...)},
	"TopUsers":               {"items", append([]string{"rank", "user_id", "anonymous_id", "value"}, ofCounts...)},
	"EventNames":             {"items", []string{"rank", "type", "events", "unique_users", "unique_users_exact"}},
	"EventTimeseries":        {"points", []string{"start", "complete", "zone_changed", "events", "unique_users", "unique_users_exact"}},
	"ProductTimeseries":      series,
	"ProductTimeseriesBySKU": series,
	"Overview":               series,
	"MySummary":              summary,
	"UserSummary":            summary,
}

func prefixed(prefix string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = prefix + name
	}
	return all
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// tabular answers with rows when a request asks for them. They are made from the encoded answer, so the caches and the quotas are
// the same for all formats. Only answers in JSON are kept for requests that are the same.
func tabular(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		response, err := next(ctx, w, r, request)
		answer, ok := response.(answered)
		if err != nil || !ok {
			return response, err
		}
		format := rows.Negotiate(r.Header, rows.JSON, rows.CSV, rows.NDJSON)
		if format != rows.JSON {
			return nil, tables[operation].write(w, format, answer.reply.Body())
		}
		if answer.held != nil {
			edge.Keep(ctx, answer.held)
		}
		return answer, nil
	}
}

// write writes the rows of an answer, and what else they need of it as headers.
func (t table) write(w http.ResponseWriter, format rows.Format, answer []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("an answer as rows: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(all[t.list], &list); err != nil {
		return fmt.Errorf("the rows of an answer: %w", err)
	}
	columns := t.columns
	if format == rows.CSV {
		var err error
		if columns, err = t.byCurrency(list); err != nil {
			return err
		}
	}
	var body bytes.Buffer
	writer, err := rows.NewWriter(&body, format, columns)
	if err != nil {
		return err
	}
	for _, row := range list {
		if err := writer.Write(row); err != nil {
			return err
		}
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	if err := setFreshness(w.Header(), all); err != nil {
		return err
	}
	w.Header().Set("Content-Type", format.ContentType())
	w.Header().Set("Cache-Control", private)
	w.Header().Set("Vary", "Accept")
	_, err = body.WriteTo(w)
	return err
}

// setFreshness sets the headers for the members meta and next_cursor.
func setFreshness(header http.Header, answer map[string]json.RawMessage) error {
	var meta Meta
	if err := json.Unmarshal(answer["meta"], &meta); err != nil {
		return fmt.Errorf("the freshness of an answer: %w", err)
	}
	header.Set("Analytics-As-Of", meta.AsOf.Format(time.RFC3339Nano))
	header.Set("Analytics-Complete-Until", meta.CompleteUntil.Format(time.RFC3339Nano))
	header.Set("Analytics-Pending-Events", strconv.FormatInt(meta.PendingEvents, 10))
	header.Set("Analytics-Failed-Events", strconv.FormatInt(meta.FailedEvents, 10))
	header.Set("Analytics-Cached", strconv.FormatBool(meta.Cached))
	header.Set("Analytics-Time-Zone", meta.TimeZone)
	if len(meta.TimeZones) > 0 {
		all := make([]string, len(meta.TimeZones))
		for i, z := range meta.TimeZones {
			all[i] = z.TimeZone + ";from=" + z.From.String()
		}
		header.Set("Analytics-Time-Zones", strings.Join(all, ", "))
	}
	var cursor string
	if raw, paged := answer["next_cursor"]; paged {
		if err := json.Unmarshal(raw, &cursor); err != nil {
			return fmt.Errorf("the cursor of an answer: %w", err)
		}
	}
	if cursor != "" {
		header.Set("Next-Cursor", cursor)
	}
	return nil
}

// money are the columns of each currency.
var money = []string{"gross_minor", "refunded_minor", "net_minor", "orders", "units"}

// byCurrency returns the columns with those of each currency that is in the rows, sorted by code. It changes revenue in the rows
// from a list to an object by currency, so that columns can name what is in it.
func (t table) byCurrency(list []json.RawMessage) ([]string, error) {
	at := slices.IndexFunc(t.columns, func(c string) bool { return c == "revenue" || strings.HasSuffix(c, ".revenue") })
	if at < 0 {
		return t.columns, nil
	}
	column, found := t.columns[at], map[string]bool{}
	for i, row := range list {
		changed, err := pivot(row, strings.Split(column, "."), found)
		if err != nil {
			return nil, fmt.Errorf("money by currency: %w", err)
		}
		list[i] = changed
	}
	var columns []string
	for currency := range found {
		columns = append(columns, currency)
	}
	slices.Sort(columns)
	all := slices.Clone(t.columns[:at])
	for _, currency := range columns {
		all = append(all, prefixed(column+"."+currency+".", money)...)
	}
	return append(all, t.columns[at+1:]...), nil
}

// pivot changes the list at a path of an object to an object by currency, and adds the currencies to found.
func pivot(object json.RawMessage, path []string, found map[string]bool) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	inner, present := members[path[0]]
	if !present {
		return object, nil
	}
	var err error
	if len(path) > 1 {
		members[path[0]], err = pivot(inner, path[1:], found)
	} else {
		members[path[0]], err = keyed(inner, found)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

func keyed(list json.RawMessage, found map[string]bool) (json.RawMessage, error) {
	var amounts []Revenue
	if err := json.Unmarshal(list, &amounts); err != nil {
		return nil, err
	}
	byCurrency := make(map[string]Revenue, len(amounts))
	for _, a := range amounts {
		byCurrency[a.Currency], found[a.Currency] = a, true
	}
	return json.Marshal(byCurrency)
}
