package host_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/mcpserver"
)

// assistant is a client of the tools.
type assistant struct {
	t       *testing.T
	session *mcp.ClientSession
}

func newAssistant(t *testing.T, platform mcpserver.Platform) assistant {
	t.Helper()
	server, err := mcpserver.New(platform, "test")
	if err != nil {
		t.Fatal(err)
	}
	here, there := mcp.NewInMemoryTransports()
	if _, err := server.Connect(t.Context(), there, nil); err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return assistant{t, session}
}

// call calls a tool and returns its text, and whether it is a refusal.
func (a assistant) call(tool string, arguments map[string]any) (text string, refused bool) {
	a.t.Helper()
	result, err := a.session.CallTool(a.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		a.t.Fatalf("%s: %v", tool, err)
	}
	return result.Content[0].(*mcp.TextContent).Text, result.IsError
}

// The tools answer what the API answers, to keys that may read it, and say what is wrong with a call.
func TestToolsOfAssistants(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	var read string
	for _, c := range s.callers() {
		if c.name == "key `read`" {
			read = c.authorization
		}
	}
	platform := mcpserver.Platform{URL: s.url, Key: strings.TrimPrefix(read, "Bearer "), Client: s.client}
	a := newAssistant(t, platform)

	paths := map[string]string{
		"overview": "/analytics/overview?interval=day", "eventNames": "/analytics/events?limit=5", "topProducts": "/analytics/products/top?metric=views",
		"topUsers": "/analytics/users/top?metric=events", "userSummary": "/analytics/users/%C3%BC/summary",
		"eventTimeseries":        "/analytics/events/timeseries?type=Signed+%3Cb%3EUp%3C%2Fb%3E",
		"productTimeseries":      "/analytics/products/" + id + "/timeseries",
		"productTimeseriesBySKU": "/analytics/products/timeseries?sku=TEA+1%2F2", "listProducts": "/products?limit=1", "getProduct": "/products/" + id,
	}
	arguments := map[string]map[string]any{
		"overview": {"interval": "day", "from": nil}, "eventNames": {"limit": 5}, "topProducts": {"metric": "views"}, "topUsers": {"metric": "events"},
		"userSummary": {"id": "ü"}, "eventTimeseries": {"type": "Signed <b>Up</b>"}, "productTimeseries": {"id": id},
		"productTimeseriesBySKU": {"sku": "TEA 1/2"}, "listProducts": {"limit": 1}, "getProduct": {"id": id},
	}
	listed, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
		schema, err := json.Marshal(tool.InputSchema)
		if err != nil || strings.Contains(string(schema), "$ref") || !tool.Annotations.ReadOnlyHint {
			t.Errorf("%s: %v %s", tool.Name, err, schema)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(paths)), names); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	for tool, path := range paths {
		text, refused := a.call(tool, arguments[tool])
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || refused {
			t.Fatalf("%s: %v, refused: %v: %s", tool, err, refused, text)
		}
		want := s.send(http.MethodGet, path, read, "")
		delete(got, "meta") // says when it was read, and whether from a cache
		delete(want, "meta")
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s (-want +got):\n%s", tool, diff)
		}
	}

	for _, c := range []struct {
		tool      string
		arguments map[string]any
		says      string
	}{
		{"overview", map[string]any{"from": "yesterday"}, "/query/from"},
		{"overview", map[string]any{"metric": "views"}, "there is no argument metric"},
		{"overview", map[string]any{"from": []string{"2026-01-01"}}, "from must be a single value"},
		{"productTimeseriesBySKU", nil, "sku"},
		{"userSummary", map[string]any{"id": ".."}, "must not be .."},
		{"getProduct", map[string]any{"id": "../auth/users"}, "nothing with this id"},
	} {
		if text, refused := a.call(c.tool, c.arguments); !refused || !strings.Contains(text, c.says) {
			t.Errorf("%s %v: %v %q, want %q", c.tool, c.arguments, refused, text, c.says)
		}
	}
	platform.Key = strings.TrimPrefix(s.key, "Bearer ")
	if text, refused := newAssistant(t, platform).call("overview", nil); !refused || !strings.Contains(text, "read") {
		t.Errorf("a key that may not read: %v %q", refused, text)
	}
}
