package ingest_test

import (
	"net/http"
	"testing"
)

// forget takes the right to read a table away as soon as a row of another one is committed: a read after the commit fails.
func (p *platform) forget(read, stored string) {
	p.t.Helper()
	p.exec(`CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			EXECUTE 'REVOKE SELECT ON ` + read + ` FROM hp_ingest';
			RETURN NULL;
		END $$`)
	p.exec(`CREATE TRIGGER forget AFTER INSERT ON ` + stored + ` FOR EACH STATEMENT EXECUTE FUNCTION public.forget()`)
}

// TestAnswersNeedNoReadAfterTheCommit: what is stored is answered as stored, whatever can be read then, and with the SKU of a product
// that is named by its id.
func TestAnswersNeedNoReadAfterTheCommit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, body, read, stored string }{
		"an order":             {"/orders", `{"id":"o","user_id":"u","currency":"EUR","lines":[{"product_id":"` + shoeID + `","quantity":1}]}`, "ingest.refunds", "ingest.orders"},
		"a purchase":           {"/purchases", `{"user_id":"u","product_id":"` + shoeID + `","quantity":1}`, "ingest.refunds", "ingest.orders"},
		"a refund of no order": {"/refunds", `{"id":"r","user_id":"u","currency":"EUR","lines":[{"product_id":"` + shoeID + `","quantity":1,"amount_minor":1}]}`, "ingest.refunds", "ingest.refunds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.forget(tc.read, tc.stored)
			a := p.post(tc.path, p.ingestKey, tc.body)
			a.expect(t, http.StatusCreated, "")
			line := a.object
			if lines, ok := a.object["lines"].([]any); ok {
				line, _ = lines[0].(map[string]any)
			}
			if line["sku"] != "SHOE" {
				t.Errorf("the answer is %v", a.object)
			}
		})
	}
}

// TestAnswersHaveTheSKUOfToday renames a product that the service has just used, and names it by its id.
func TestAnswersHaveTheSKUOfToday(t *testing.T) {
	t.Parallel()
	p := start(t)
	bodies := func(id string) map[string]string {
		return map[string]string{
			"/orders":    `{"id":"` + id + `","user_id":"u","currency":"EUR","lines":[{"product_id":"` + shoeID + `","quantity":1}]}`,
			"/purchases": `{"user_id":"u","product_id":"` + shoeID + `","quantity":1}`,
			"/refunds":   `{"id":"` + id + `","user_id":"u","currency":"EUR","lines":[{"product_id":"` + shoeID + `","quantity":1,"amount_minor":1}]}`,
		}
	}
	for i, sku := range []string{"SHOE", "BOOT"} {
		p.exec(`UPDATE catalog.products SET sku = $2 WHERE id = $1`, shoeID, sku)
		for path, body := range bodies(string(rune('a' + i))) {
			a := p.post(path, p.ingestKey, body)
			a.expect(t, http.StatusCreated, "")
			line := a.object
			if lines, ok := a.object["lines"].([]any); ok {
				line, _ = lines[0].(map[string]any)
			}
			if line["sku"] != sku {
				t.Errorf("%s: %v, want the SKU %s", path, a.object, sku)
			}
		}
	}
}
