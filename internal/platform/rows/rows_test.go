package rows_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/rows"
)

func write(t *testing.T, format rows.Format, columns []string, objects ...string) string {
	t.Helper()
	var out bytes.Buffer
	w, err := rows.NewWriter(&out, format, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if err := w.Write([]byte(o)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A cell has the text, the number or the JSON of a member, and texts that look like formulas are harmless.
func TestCSV(t *testing.T) {
	t.Parallel()
	columns := []string{"name", "n", "product.sku", "product.deep.x", "flag", "properties"}
	got := write(t, rows.CSV, columns,
		`{"name":"a","n":-5,"product":{"sku":"9/16\" nut, long","deep":{"x":1.50}},"flag":true,"properties":{"a":"=1","b":[1,2]},"other":1}`,
		`{"name":null,"n":12345678901234567890,"product":null}`,
		`{"name":"=cmd()","product":{"sku":"-1"}}`,
		`{"name":"+1","product":{"sku":"@x"}}`,
		`{"name":"\tx","product":{"sku":"\rx"}}`,
		`{"name":"＝1","product":{"sku":"größe-42\n2"}}`,
		`{"name":"a=b","product":{"sku":" =x"}}`,
	)
	want := "name,n,product.sku,product.deep.x,flag,properties\r\n" +
		`a,-5,"9/16"" nut, long",1.50,true,"{""a"":""=1"",""b"":[1,2]}"` + "\r\n" +
		",12345678901234567890,,,,\r\n" +
		"'=cmd(),,'-1,,,\r\n" +
		"'+1,,'@x,,,\r\n" +
		"'\tx,,\"'x\",,,\r\n" +
		"'＝1,,\"größe-42\r\n2\",,,\r\n" +
		"a=b,,\" =x\",,,\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	records, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(records) != 8 {
		t.Errorf("a reader of CSV finds %d records, %v", len(records), err)
	}
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	if got := write(t, rows.NDJSON, []string{"a"}, `{"a":"=1","b":2}`, `{}`); got != "{\"a\":\"=1\",\"b\":2}\n{}\n" {
		t.Errorf("%q", got)
	}
	if got := write(t, rows.CSV, []string{"a", "b"}); got != "a,b\r\n" {
		t.Errorf("CSV without rows is %q", got)
	}
}

func TestRowsThatAreNoObjects(t *testing.T) {
	t.Parallel()
	w, err := rows.NewWriter(&bytes.Buffer{}, rows.CSV, []string{"a.b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{`[1]`, `{"a":1}`, `{`, `{"a":{"b":"`} {
		if err := w.Write([]byte(object)); err == nil {
			t.Errorf("%s is a row", object)
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	all := []rows.Format{rows.JSON, rows.CSV, rows.NDJSON}
	for _, c := range []struct {
		accept  []string
		offered []rows.Format
		want    rows.Format
	}{
		{nil, all, rows.JSON},
		{[]string{"*/*"}, all, rows.JSON},
		{[]string{"*/*"}, []rows.Format{rows.NDJSON, rows.CSV}, rows.NDJSON},
		{[]string{"text/csv"}, all, rows.CSV},
		{[]string{"TEXT/CSV; charset=utf-8"}, all, rows.CSV},
		{[]string{"application/x-ndjson, application/json;q=0.5"}, all, rows.NDJSON},
		{[]string{"application/x-ndjson;q=0.5, */*"}, all, rows.JSON},
		{[]string{"text/*"}, all, rows.CSV},
		{[]string{"text/html", "text/csv;q=0.1"}, all, rows.CSV},
		{[]string{"*/*, application/json;q=0"}, all, rows.CSV},
		{[]string{"garbage, text/csv"}, all, rows.CSV},
		{[]string{"text/csv;q=x"}, all, rows.JSON},
		{[]string{"application/json"}, []rows.Format{rows.NDJSON, rows.CSV}, rows.NDJSON},
		{[]string{"text/html"}, all, rows.JSON},
		{[]string{""}, all, rows.JSON},
	} {
		if got := rows.Negotiate(http.Header{"Accept": c.accept}, c.offered...); got != c.want {
			t.Errorf("%q: %q, want %q", c.accept, got, c.want)
		}
	}
}
