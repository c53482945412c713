package host_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// infinityTarget is a query of Grafana's Infinity data source.
type infinityTarget struct {
	URL          string `json:"url"`
	RootSelector string `json:"root_selector"`
	Options      struct {
		Params  []struct{ Key, Value string }
		Headers []struct{ Key, Value string }
	} `json:"url_options"`
	Columns []struct{ Selector, Text string }
}

// TestGrafanaReadsNumbers asks what each panel of the dashboard Numbers asks, and finds every column in the answer in the way of the data
// source's backend parser, which reads paths by gjson.
func TestGrafanaReadsNumbers(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"click","sku":"TEA 1/2","user_id":"u"}`)
	content, err := os.ReadFile(filepath.Join(chartFiles, "dashboards", "hp-analytics-numbers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []infinityTarget
		}
	}
	if err := json.Unmarshal(content, &board); err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC()
	fill := strings.NewReplacer("${__from:date:YYYY-MM-DD}", today.AddDate(0, 0, -6).Format(time.DateOnly), "${__to:date:YYYY-MM-DD}", today.Format(time.DateOnly),
		"$project", "default", "$currency", "EUR", "$interval", "day").Replace
	columns := 0
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			answer := s.ask(t, target, fill)
			rows := answer.Get(fill(target.RootSelector))
			last := rows
			if rows.IsArray() {
				list := rows.Array()
				if len(list) == 0 {
					t.Errorf("%s: no rows", panel.Title)
					continue
				}
				last = list[len(list)-1] // the day with the events, or the only row of a ranking
			}
			for _, column := range target.Columns {
				columns++
				if value := last.Get(fill(column.Selector)); !value.Exists() || value.Raw == "null" {
					t.Errorf("%s: nothing at %s of %s", panel.Title, column.Selector, last.Raw)
				}
			}
		}
	}
	if columns < 25 {
		t.Errorf("only %d columns were looked at", columns)
	}
}

// ask sends the request of a query with an API key that reads.
func (s shop) ask(t *testing.T, target infinityTarget, fill func(string) string) gjson.Result {
	t.Helper()
	query := url.Values{}
	for _, param := range target.Options.Params {
		query.Set(param.Key, fill(param.Value))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+target.URL+"?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", s.reader)
	for _, header := range target.Options.Headers {
		req.Header.Set(header.Key, fill(header.Value))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", req.URL, res.Status, body, err)
	}
	return gjson.ParseBytes(body)
}
