package apifuzz

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func newFuzzer(t *testing.T) *Fuzzer {
	t.Helper()
	pool := &Pool{}
	pool.Add("/products", "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10")
	pool.Add("sku", "SHOE")
	f, err := New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestValidRequests checks valid requests against the contract: their bodies fit, a server can read them, and finds their operation.
func TestValidRequests(t *testing.T) {
	t.Parallel()
	f := newFuzzer(t)
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range f.Operations() {
		for seed := range uint64(50) {
			r := f.Valid(o.ID, source(seed))
			read, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.Bytes("host", "Bearer x"))))
			if err != nil {
				t.Fatalf("%s, seed %d: %v\n%s", o.ID, seed, err, r.Bytes("host", ""))
			}
			if found, ok := c.Find(read); !ok || found.ID != o.ID && !strings.Contains(r.Target(), "{") {
				t.Errorf("%s, seed %d: %s %s is another operation", o.ID, seed, r.Method, r.Target())
			}
			if r.content != nil && !r.content.fits() {
				t.Errorf("%s, seed %d: the body does not fit: %s", o.ID, seed, r.Body)
			}
		}
	}
}

// TestBrokenRequests makes every kind for every operation that has it. Those that must be refused differ from valid ones.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	f := newFuzzer(t)
	refused := map[string]int{}
	for _, o := range f.Operations() {
		if len(o.Kinds) < 15 || o.Service == "ingest" && f.operations[o.ID].Spec.RequestBody != nil && len(o.Kinds) < 55 {
			t.Errorf("%s has only the kinds %q", o.ID, o.Kinds)
		}
		for _, kind := range o.Kinds {
			if Heavy(kind) && o.ID != "createEvent" && kind != "body: too many items" {
				continue // megabytes
			}
			for seed := range uint64(5) {
				r := f.Broken(o.ID, kind, source(seed))
				if len(r.Bytes("host", "")) == 0 || r.Kind != kind || r.Operation != o.ID {
					t.Errorf("%s, %s, seed %d: no request", o.ID, kind, seed)
				}
				if r.Refused {
					refused[kind]++
				}
				if strings.HasPrefix(kind, "text: ") && r.Refused && r.content.media == jsonType && kind != "text: another value" && kind != "text: many members" {
					if _, err := strictjson.Parse(r.Body); err == nil {
						t.Errorf("%s, %s, seed %d: this is good JSON: %.200s", o.ID, kind, seed, r.Body)
					}
				}
			}
		}
	}
	for _, k := range kinds {
		// What has both sides of a limit, and what the contract leaves open, is not always refused.
		if slices.Contains([]string{"body: wrong type", "body: number", "body: limit of a number", "body: limit of a text", "body: unknown member",
			"body: too many items", "text: cut", "query: unknown", "caller: nobody", "caller: of another project", "wire: two lengths"}, k.name) && refused[k.name] == 0 {
			t.Errorf("no request of the kind %q must be refused", k.name)
		}
	}
}

// TestSeeds checks that a seed repeats a request, and that another seed makes another.
func TestSeeds(t *testing.T) {
	t.Parallel()
	f := newFuzzer(t)
	text := func(seed uint64) string {
		random := source(seed)
		var all strings.Builder
		for range 20 {
			fmt.Fprintf(&all, "%s\n", f.Broken("createProduct", "body: wrong type", random).Bytes("host", ""))
		}
		return all.String()
	}
	first := text(7)
	if again := text(7); again != first {
		t.Error("one seed makes different requests")
	}
	if text(8) == first {
		t.Error("two seeds make the same requests")
	}
}

// TestFits checks the oracle: what it calls wrong is what the contract refuses.
func TestFits(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	schema := c.Document.Components.Schemas["ProductCreateRequest"].Value
	for text, want := range map[string]bool{
		`{"sku":"A","name":"a","price_minor":1,"currency":"EUR"}`:                         true,
		`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","category":null}`:         true,
		`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","x":1}`:                   false,
		`{"sku":"A","name":"a","price_minor":"1","currency":"EUR"}`:                       false,
		`{"sku":"A","name":"a","price_minor":-1,"currency":"EUR"}`:                        false,
		`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","prices":{"CHF":null}}`:   false,
		`{"sku":null,"name":"a","price_minor":1,"currency":"EUR"}`:                        false,
		`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","attributes":{"a":null}}`: true,
	} {
		value, err := strictjson.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := (&content{value: value, schema: schema, media: jsonType}).fits(); got != want {
			t.Errorf("%s fits: %t", text, got)
		}
	}
}

// TestLearn checks that later requests name what earlier ones have made.
func TestLearn(t *testing.T) {
	t.Parallel()
	pool := &Pool{}
	f, err := New(pool)
	if err != nil {
		t.Fatal(err)
	}
	order := f.Valid("createOrder", source(1))
	pool.Learn(order, "", []byte(`{"id":"0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10","number":"web-1","batch_id":"17"}`))
	invitation := f.Valid("createProjectInvitation", source(1))
	pool.Learn(invitation, "/auth/projects/asia/invitations/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11", []byte(`{"id":"x","token":"t-1"}`))
	pool.Learn(f.Valid("exportUser", source(1)), "", []byte(`{"kind":"user"}`+"\n"+`{"kind":"receipt","receipt":{"id":"e-1"}}`+"\n"))
	for collection, want := range map[string]string{"/exports": "e-1", "/orders": "web-1", "/events/batches": "17", invitationTemplate: "/auth/projects/asia/invitations/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11", Invitations: "t-1"} {
		if !slices.Contains(pool.names[collection], want) {
			t.Errorf("%s has %q, not %s", collection, pool.names[collection], want)
		}
	}
	if name, ok := pool.pick(source(1), "/orders/{id}/refunds", "id"); !ok || name == "" {
		t.Error("no refund finds an order")
	}
	if r := f.Valid("revokeProjectInvitation", source(1)); r.Target() != "/auth/projects/asia/invitations/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a11" {
		t.Errorf("the invitation of another project is revoked: %s", r.Target())
	}
}
