package host_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// downloads lets the page save files, and returns a function that waits for the next one.
func (b *tab) downloads() (next func() string) {
	b.t.Helper()
	dir, done := b.t.TempDir(), make(chan string, 10)
	chromedp.ListenTarget(b.ctx, func(event any) {
		if event, ok := event.(*browser.EventDownloadProgress); ok && event.State == browser.DownloadProgressStateCompleted {
			done <- event.GUID
		}
	})
	b.do(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllowAndName).WithDownloadPath(dir).WithEventsEnabled(true))
	return func() string {
		b.t.Helper()
		select {
		case name := <-done:
			content, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				b.t.Fatal(err)
			}
			return string(content)
		case <-time.After(time.Minute):
			b.t.Fatal("the page saves no file")
			return ""
		}
	}
}

// choose gives the page a file.
func (b *tab) choose(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.WaitReady(`input[type=file]`), chromedp.SetUploadFiles(`input[type=file]`, []string{path}))
}

// loseAnswer lets the page not get the nth answer of an operation, although the server has done what was asked.
func (b *tab) loseAnswer(path string, nth int) {
	b.t.Helper()
	b.do(chromedp.Evaluate(fmt.Sprintf(`(() => {
		const ask = window.fetch;
		let count = 0;
		window.fetch = async (url, ...rest) => {
			const answer = await ask(url, ...rest);
			if (String(url).endsWith(%q) && ++count === %d) throw new TypeError("no answer");
			return answer;
		};
	})()`, path, nth), nil))
}

const outcome = `[...document.querySelectorAll("section[aria-label=Result] dd")].map(dd => dd.textContent).join(" ")`

// TestDashboardImport imports products from a file of a spreadsheet: columns are guessed, bad rows are named before and after the
// rows are sent and can be saved, a lost answer can be made up for, and a second import of the same file changes nothing.
func TestDashboardImport(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("KNOWN")
	b := newTab(t, s.url)
	b.open("/app/products")
	b.signIn("admin@example.com")
	b.follow("Import CSV")

	file := "Stock code;Title;Price;Currency;Price JPY;Material\r\n" +
		"TEA;\"Tea \"\"Earl;Grey\"\"\";12,90;eur;;\r\n" +
		"KNOWN;Known now;;;21000;wool\r\n" +
		";No SKU;1,00;EUR;;\r\n" +
		"SCARF;Scarf;1.299,00;EUR;;\r\n" +
		"TEA;Once more;1;EUR;;\r\n" +
		"NAMELESS;;;;;\r\n" // three problems
	var many strings.Builder
	for n := range 600 {
		fmt.Fprintf(&many, "N-%d;Number %d;%d;EUR;;\r\n", n, n, n)
	}
	file += many.String()
	b.choose("spring.csv", file)
	b.sees("603 rows can be imported, 3 cannot.")
	for _, text := range []string{"The SKU is missing.", "The price is no amount in EUR such as 1299.00, without separators of thousands: 1.299,00", "Line 2 has the same SKU."} {
		b.sees(text)
	}
	chosen := `[...document.querySelectorAll("select[aria-label^=Column]")].map(select => select.value).join()`
	if got := b.value(chosen); got != "sku,name,price,currency,prices:JPY," {
		t.Errorf("the columns are taken for %s", got)
	}
	b.do(chromedp.SendKeys(`[aria-label="Column Material is"]`, "Attribute"))
	b.until(chosen + `.endsWith(",attribute")`)
	b.sees("603 rows can be imported")

	b.loseAnswer("/products/bulk", 2)
	b.follow("Import 603 rows")
	b.sees("What is sent stays.")
	b.follow("Continue")
	b.sees("The import is done")
	// The rows of the lost answer were written, so that they are unchanged.
	if got := b.value(outcome); got != "351 1 0 250 1" {
		t.Errorf("created, changed, active again, unchanged and refused are %s", got)
	}
	known := s.send(http.MethodGet, "/products?sku=KNOWN", s.admin, "")["items"].([]any)[0].(map[string]any)
	has(t, known, map[string]string{"name": "Known now", "price_minor": "10000", "prices": "map[JPY:21000]", "attributes": "map[Material:wool]"})
	tea := s.send(http.MethodGet, "/products?sku=TEA", s.admin, "")["items"].([]any)[0].(map[string]any)
	has(t, tea, map[string]string{"name": `Tea "Earl;Grey"`, "price_minor": "1290", "currency": "EUR"})

	next := b.downloads()
	b.presses(`[aria-label="Refused by the server"] button`)
	if got := next(); !strings.Contains(got, "Stock code,Title,Price,Currency,Price JPY,Material,error\r\nNAMELESS,,,,,,") || strings.Count(got, "\r\n") != 2 {
		t.Errorf("the refused rows are %q", got)
	}
	b.presses(`[aria-label="Rows that cannot be imported"] button`)
	if got := next(); !strings.Contains(got, "SCARF,Scarf,\"1.299,00\",EUR,,,") || strings.Count(got, "\r\n") != 4 {
		t.Errorf("the rows that cannot be imported are %q", got)
	}

	b.choose("spring.csv", file)
	b.follow("Import 603 rows")
	b.sees("The import is done")
	if got := b.value(outcome); got != "0 0 0 602 1" {
		t.Errorf("the second time created, changed, active again, unchanged and refused are %s", got)
	}
	b.clean()
}
